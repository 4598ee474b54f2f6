/* A scripted stand-in for libnvidia-ml.so.1: the real pynvml (its loading, its struct layouts, its
 * mapping of errors) runs on it on a machine without a GPU.  What a device answers is written in a
 * journal (journal.h) named by $FAKE_NVML_SCRIPT:
 *
 *   gpus = 2                            number of devices (1 unless said)
 *   <gpu|*>.<field> = value             util memutil power_mw power_limit_mw temp sm_mhz mem_mhz throttle
 *                                       mem_total mem_used mem_reserved gpm gpm.<id> field.<id> uuid name
 *   <gpu|*>.procs = pid:bytes,...       compute processes
 *   <gpu|*>.mig = n                     MIG mode on, n instances (0: capable, off; not given: not capable)
 *   <gpu>.xid = code                    an XID event at that moment
 *   <gpu|*>.fails = code                every call on it answers that nvmlReturn_t (15: it is lost)
 *   <gpu|*>.ret.<function> = code       every call of that function answers that nvmlReturn_t
 *   <gpu|*>.delay_us.<function> = n     ... after this long
 *   <gpu|*>.hang.<function> = 1         ... does not return until this is 0 or the journal is gone
 *
 * Calls that concern no device (nvmlInitWithFlags, ..) take the '*' form.  Utilisation and average
 * power are means held for a period (util_period_us, power_period_us), as real counters are.
 * -DOLD_DRIVER leaves out the symbols that older drivers lack.                                    */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"

#define EXPORT __attribute__((visibility("default")))

typedef int nvml_return;
enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    TIMEOUT = 10,
    ARGUMENT_VERSION_MISMATCH = 25,
};
enum { MAX_GPUS = 16, MAX_MIG = 8, WHOLE_GPU = -1, NO_GPU = -1 };
enum { UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 };
enum { XID_EVENT = 8, ALL_INSTANCES = 0xffffffff };
static const double IDLE_POWER_MW = 75000;

typedef struct {
    int gpu, mig;
} device;
typedef union {
    double d;
    unsigned ui;
    unsigned long long ull;
} value;

static device gpus[MAX_GPUS], instances[MAX_GPUS][MAX_MIG];
static int initialisations;

static int is_device(const device *d) {
    return (d >= gpus && d < gpus + MAX_GPUS) ||
           (d >= &instances[0][0] && d < &instances[0][0] + MAX_GPUS * MAX_MIG);
}

static double scripted(int gpu, const char *prefix, const char *function) {
    char field[80];
    snprintf(field, sizeof field, "%s.%s", prefix, function);
    return gpu_value(gpu, field, 0, now_us());
}

static void wait_while_hung(int gpu, const char *function) {
    const char *path = getenv("FAKE_NVML_SCRIPT");
    for (;;) {
        journal_lock();
        journal_refresh();
        int hung = scripted(gpu, "hang", function) != 0;
        journal_unlock();
        if (!hung || !path || access(path, F_OK)) return;
        usleep(5000);
    }
}

/* What every call does first: be slow and fail as the journal says.  NULL: no device is concerned. */
static nvml_return entered(const char *function, const device *d) {
    journal_lock();
    journal_origin_us();
    journal_refresh();
    int gpu = d && is_device(d) ? d->gpu : NO_GPU;
    double delay_us = 0;
    int hung = 0;
    nvml_return answer = SUCCESS;
    if (journal_scripts_calls()) {
        delay_us = scripted(gpu, "delay_us", function);
        hung = scripted(gpu, "hang", function) != 0;
        answer = (nvml_return)scripted(gpu, "ret", function);
    }
    if (!answer && gpu != NO_GPU) answer = (nvml_return)gpu_value(gpu, "fails", 0, now_us());
    if (!initialisations && strcmp(function, "nvmlInitWithFlags")) answer = UNINITIALIZED;
    journal_unlock();
    if (d && gpu == NO_GPU) return INVALID_ARGUMENT;
    if (delay_us > 0) usleep((useconds_t)delay_us);
    if (hung) wait_while_hung(gpu, function);
    return answer;
}

#define ENTER(d)                                        \
    do {                                                \
        nvml_return answer_ = entered(__func__, (d));   \
        if (answer_) return answer_;                    \
    } while (0)
#define ENTER_WHOLE_GPU(d)                              \
    do {                                                \
        ENTER(d);                                       \
        if ((d)->mig != WHOLE_GPU) return NOT_SUPPORTED; \
    } while (0)
#define LOCKED(...)       \
    do {                  \
        journal_lock();   \
        __VA_ARGS__;      \
        journal_unlock(); \
    } while (0)

static nvml_return copied(char *out, unsigned size, const char *text) {
    if (!out || strlen(text) + 1 > size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

static int gpu_count(void) {
    double n = global_value("gpus", 1, now_us());
    return n < 0 ? 0 : n > MAX_GPUS ? MAX_GPUS : (int)n;
}

/* ---- library ---- */

EXPORT nvml_return nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    ENTER(NULL);
    LOCKED({
        initialisations++;
        for (int g = 0; g < MAX_GPUS; g++) {
            gpus[g] = (device){g, WHOLE_GPU};
            for (int m = 0; m < MAX_MIG; m++) instances[g][m] = (device){g, m};
        }
    });
    return SUCCESS;
}

EXPORT nvml_return nvmlShutdown(void) {
    ENTER(NULL);
    LOCKED(initialisations--);
    return SUCCESS;
}

EXPORT const char *nvmlErrorString(nvml_return code) {
    switch (code) {
        case SUCCESS: return "Success";
        case UNINITIALIZED: return "Uninitialized";
        case INVALID_ARGUMENT: return "Invalid Argument";
        case NOT_SUPPORTED: return "Not Supported";
        case 4: return "Insufficient Permissions";
        case NOT_FOUND: return "Not Found";
        case 9: return "Driver Not Loaded";
        case TIMEOUT: return "Timeout";
        case 15: return "GPU is lost";
        case 18: return "Driver/library version mismatch";
        default: return "Unknown Error";
    }
}

static nvml_return system_text(const char *key, const char *otherwise, char *out, unsigned size) {
    nvml_return answer;
    LOCKED({
        const char *text = journal_text(key, now_us());
        answer = copied(out, size, text ? text : otherwise);
    });
    return answer;
}

EXPORT nvml_return nvmlSystemGetDriverVersion(char *out, unsigned size) {
    ENTER(NULL);
    return system_text("driver", "570.86.15", out, size);
}

/* ---- devices ---- */

EXPORT nvml_return nvmlDeviceGetCount_v2(unsigned *count) {
    ENTER(NULL);
    LOCKED(*count = (unsigned)gpu_count());
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out) {
    ENTER(NULL);
    int count;
    LOCKED(count = gpu_count());
    if (index >= (unsigned)count) return INVALID_ARGUMENT;
    nvml_return answer = entered(__func__, &gpus[index]);
    if (!answer) *out = &gpus[index];
    return answer;
}

EXPORT nvml_return nvmlDeviceGetIndex(device *d, unsigned *index) {
    ENTER(d);
    *index = (unsigned)d->gpu;
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetUUID(device *d, char *out, unsigned size) {
    ENTER(d);
    char text[96];
    LOCKED({
        const char *own = gpu_text(d->gpu, "uuid", now_us());
        if (d->mig != WHOLE_GPU)
            snprintf(text, sizeof text, "MIG-fa4e0000-0000-0000-%04d-%012d", d->gpu, d->mig);
        else if (own)
            snprintf(text, sizeof text, "%s", own);
        else
            snprintf(text, sizeof text, "GPU-fa4e0000-0000-0000-0000-%012d", d->gpu);
    });
    return copied(out, size, text);
}

EXPORT nvml_return nvmlDeviceGetName(device *d, char *out, unsigned size) {
    ENTER(d);
    nvml_return answer;
    LOCKED({
        const char *text = gpu_text(d->gpu, "name", now_us());
        answer = copied(out, size, text ? text : "NVIDIA H200");
    });
    return answer;
}

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} pci_info;

EXPORT nvml_return nvmlDeviceGetPciInfo_v3(device *d, pci_info *out) {
    ENTER(d);
    memset(out, 0, sizeof *out);
    out->bus = 0x10u + (unsigned)d->gpu;
    out->pci_device_id = 0x233510de;
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
    snprintf(out->bus_id_legacy, sizeof out->bus_id_legacy, "0000:%02X:00.0", out->bus);
    return SUCCESS;
}

/* ---- memory ---- */

typedef struct {
    unsigned long long total, free, used;
} memory_v1;
typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} memory_v2;

static memory_v2 memory_of(const device *d) {
    uint64_t t = now_us();
    double share = d->mig == WHOLE_GPU ? 1 : 1.0 / MAX_MIG;
    double total = gpu_value(d->gpu, "mem_total", 150754820096.0, t) * share;
    double reserved = gpu_value(d->gpu, "mem_reserved", 696254464.0, t) * share;
    double used = gpu_value(d->gpu, "mem_used", 0, t) * share;
    return (memory_v2){0, (unsigned long long)total, (unsigned long long)reserved,
                       (unsigned long long)(total - reserved - used), (unsigned long long)used};
}

EXPORT nvml_return nvmlDeviceGetMemoryInfo(device *d, memory_v1 *out) {
    ENTER(d);
    memory_v2 now;
    LOCKED(now = memory_of(d));
    *out = (memory_v1){now.total, now.free, now.used + now.reserved}; /* v1 counts reserved as used */
    return SUCCESS;
}

#ifndef OLD_DRIVER
EXPORT nvml_return nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *out) {
    ENTER(d);
    unsigned version = out->version;
    if (version != (sizeof(memory_v2) | 2u << 24)) return ARGUMENT_VERSION_MISMATCH;
    LOCKED(*out = memory_of(d));
    out->version = version;
    return SUCCESS;
}
#endif

/* ---- activity, power, clocks ---- */

typedef struct {
    unsigned gpu, memory;
} utilization;

EXPORT nvml_return nvmlDeviceGetUtilizationRates(device *d, utilization *out) {
    ENTER_WHOLE_GPU(d);
    int split;
    LOCKED(split = gpu_value(d->gpu, "mig", 0, now_us()) > 0);
    if (split) return NOT_SUPPORTED;
    LOCKED({
        out->gpu = (unsigned)(gpu_held_mean(d->gpu, "util", 0, "util_period_us", 166667) + .5);
        out->memory = (unsigned)(gpu_held_mean(d->gpu, "memutil", 0, "util_period_us", 166667) + .5);
    });
    return SUCCESS;
}

static double average_power_mw(int gpu) {
    return gpu_held_mean(gpu, "power_mw", IDLE_POWER_MW, "power_period_us", 1000000);
}

EXPORT nvml_return nvmlDeviceGetPowerUsage(device *d, unsigned *milliwatts) {
    ENTER_WHOLE_GPU(d);
    LOCKED(*milliwatts = (unsigned)average_power_mw(d->gpu));
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetEnforcedPowerLimit(device *d, unsigned *milliwatts) {
    ENTER_WHOLE_GPU(d);
    LOCKED(*milliwatts = (unsigned)gpu_value(d->gpu, "power_limit_mw", 700000, now_us()));
    return SUCCESS;
}

/* The integral of power since the library came up, carried on from the last call. */
static unsigned long long energy_mj(int gpu) {
    static double joules[MAX_GPUS];
    static uint64_t upto[MAX_GPUS];
    const uint64_t step = 50000;
    uint64_t now = now_us();
    for (uint64_t t = upto[gpu] ? upto[gpu] : journal_origin_us(); t < now; t += step) {
        uint64_t span = t + step < now ? step : now - t;
        joules[gpu] += gpu_value(gpu, "power_mw", IDLE_POWER_MW, t + span / 2) * (double)span / 1e9;
    }
    if (now > upto[gpu]) upto[gpu] = now;
    return (unsigned long long)(joules[gpu] * 1000);
}

EXPORT nvml_return nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *millijoules) {
    ENTER_WHOLE_GPU(d);
    LOCKED(*millijoules = energy_mj(d->gpu));
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetTemperature(device *d, unsigned sensor, unsigned *celsius) {
    ENTER(d);
    if (sensor) return INVALID_ARGUMENT;
    LOCKED(*celsius = (unsigned)gpu_value(d->gpu, "temp", 35, now_us()));
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetClockInfo(device *d, unsigned type, unsigned *megahertz) {
    ENTER_WHOLE_GPU(d);
    int memory = type == 2;
    LOCKED(*megahertz = (unsigned)gpu_value(d->gpu, memory ? "mem_mhz" : "sm_mhz", memory ? 3201 : 1980,
                                            now_us()));
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetCurrentClocksThrottleReasons(device *d, unsigned long long *mask) {
    ENTER(d);
    LOCKED(*mask = (unsigned long long)gpu_value(d->gpu, "throttle", 0, now_us()));
    return SUCCESS;
}

#ifndef OLD_DRIVER
EXPORT nvml_return nvmlDeviceGetCurrentClocksEventReasons(device *d, unsigned long long *mask) {
    ENTER(d);
    LOCKED(*mask = (unsigned long long)gpu_value(d->gpu, "throttle", 0, now_us()));
    return SUCCESS;
}
#endif

/* ---- the driver's own ring of samples ---- */

typedef struct {
    unsigned long long t_us;
    value value;
} sample;

static const struct {
    unsigned type;
    const char *field;
    double otherwise;
    const char *period_field;
    double usual_period_us;
} SAMPLED[] = {
    {0, "power_mw", 75000, "power_sample_us", 20000},
    {1, "util", 0, "util_sample_us", 166667},
    {2, "memutil", 0, "util_sample_us", 166667},
    {5, "sm_mhz", 1980, "util_sample_us", 166667},
    {6, "mem_mhz", 3201, "util_sample_us", 166667},
};

EXPORT nvml_return nvmlDeviceGetSamples(device *d, unsigned type, unsigned long long last_seen_us,
                                        int *value_type, unsigned *count, sample *out) {
    ENTER_WHOLE_GPU(d);
    size_t row = 0, rows = sizeof SAMPLED / sizeof *SAMPLED;
    while (row < rows && SAMPLED[row].type != type) row++;
    if (row == rows) return NOT_SUPPORTED;
    *value_type = UNSIGNED_INT;
    unsigned have = 0;
    LOCKED({
        uint64_t now = now_us();
        uint64_t period =
            (uint64_t)gpu_value(d->gpu, SAMPLED[row].period_field, SAMPLED[row].usual_period_us, now);
        uint64_t depth = (uint64_t)gpu_value(d->gpu, "sample_buffer", 120, now);
        uint64_t end = now - now % period, first = end - period * (depth - 1);
        uint64_t after = last_seen_us > journal_origin_us() ? last_seen_us : journal_origin_us();
        if (first <= after) first = after + period - after % period;
        for (uint64_t t = first; t <= end; t += period, have++)
            if (out && have < *count)
                out[have] = (sample){
                    t, {.ull = (unsigned)gpu_mean(d->gpu, SAMPLED[row].field, SAMPLED[row].otherwise, t, period)}};
    });
    if (!have) return NOT_FOUND;
    if (!out || *count > have) *count = have;
    return SUCCESS;
}

/* ---- field values ---- */

typedef struct {
    unsigned id, scope;
    long long t_us, latency_us;
    int value_type;
    nvml_return answer;
    value value;
} field_value;

EXPORT nvml_return nvmlDeviceGetFieldValues(device *d, int count, field_value *fields) {
    ENTER_WHOLE_GPU(d);
    journal_lock();
    for (int i = 0; i < count; i++) {
        field_value *f = &fields[i];
        char own[32];
        snprintf(own, sizeof own, "field.%u", f->id);
        const char *text = gpu_text(d->gpu, own, now_us());
        f->t_us = (long long)now_us();
        f->latency_us = 1;
        f->answer = SUCCESS;
        f->value_type = UNSIGNED_LONG_LONG;
        f->value.ull = 0;
        if (text) {
            f->value.ull = (unsigned long long)gpu_value(d->gpu, own, 0, now_us());
#ifndef OLD_DRIVER
        } else if (f->id == 186) { /* instant power */
            f->value_type = UNSIGNED_INT;
            f->value.ui = (unsigned)gpu_value(d->gpu, "power_mw", IDLE_POWER_MW, now_us());
#endif
        } else {
            f->answer = NOT_SUPPORTED;
        }
    }
    journal_unlock();
    return SUCCESS;
}

/* ---- processes ---- */

typedef struct {
    unsigned pid;
    unsigned long long used_bytes;
    unsigned gpu_instance, compute_instance;
} process_info;

EXPORT nvml_return nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *count, process_info *out) {
    ENTER(d);
    unsigned have = 0, room = out ? *count : 0;
    LOCKED({
        const char *rest = gpu_text(d->gpu, "procs", now_us());
        while (rest && *rest) {
            unsigned pid;
            unsigned long long bytes = 0;
            if (sscanf(rest, "%u:%llu", &pid, &bytes) < 1) break;
            if (have < room) out[have] = (process_info){pid, bytes, ALL_INSTANCES, ALL_INSTANCES};
            have++;
            rest = strchr(rest, ',');
            if (rest) rest++;
        }
    });
    *count = have;
    return have > room ? INSUFFICIENT_SIZE : SUCCESS;
}

/* ---- events ---- */

typedef struct {
    device *device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
} event;
typedef struct {
    int watched[MAX_GPUS], seen[MAX_GPUS];
} event_set;

EXPORT nvml_return nvmlEventSetCreate(event_set **out) {
    ENTER(NULL);
    *out = calloc(1, sizeof **out);
    return SUCCESS;
}

EXPORT nvml_return nvmlEventSetFree(event_set *set) {
    ENTER(NULL);
    free(set);
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceRegisterEvents(device *d, unsigned long long types, event_set *set) {
    ENTER(d);
    LOCKED({
        set->watched[d->gpu] = (types & XID_EVENT) != 0;
        set->seen[d->gpu] = gpu_occurrences(d->gpu, "xid", now_us());
    });
    return SUCCESS;
}

static int next_event(event_set *set, event *out) {
    for (int g = 0; g < MAX_GPUS; g++) {
        if (!set->watched[g] || gpu_occurrences(g, "xid", now_us()) <= set->seen[g]) continue;
        const char *code = gpu_occurrence(g, "xid", set->seen[g]++);
        *out = (event){&gpus[g], XID_EVENT, strtoull(code, NULL, 10), ALL_INSTANCES, ALL_INSTANCES};
        return 1;
    }
    return 0;
}

EXPORT nvml_return nvmlEventSetWait_v2(event_set *set, event *out, unsigned timeout_ms) {
    ENTER(NULL);
    for (uint64_t end = now_us() + 1000ull * timeout_ms;; usleep(50000)) {
        int found;
        LOCKED({
            journal_refresh();
            found = next_event(set, out);
        });
        if (found) return SUCCESS;
        if (now_us() >= end) return TIMEOUT;
    }
}

/* ---- MIG ---- */

EXPORT nvml_return nvmlDeviceGetMigMode(device *d, unsigned *current, unsigned *pending) {
    ENTER(d);
    double count;
    LOCKED(count = gpu_value(d->gpu, "mig", -1, now_us()));
    if (count < 0) return NOT_SUPPORTED;
    *current = *pending = count > 0;
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *count) {
    ENTER(d);
    *count = MAX_MIG;
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **out) {
    ENTER(d);
    double count;
    LOCKED(count = gpu_value(d->gpu, "mig", 0, now_us()));
    if (index >= count || index >= MAX_MIG) return NOT_FOUND;
    *out = &instances[d->gpu][index];
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetGpuInstanceId(device *d, unsigned *id) {
    ENTER(d);
    if (d->mig == WHOLE_GPU) return INVALID_ARGUMENT;
    *id = (unsigned)d->mig + 1;
    return SUCCESS;
}

EXPORT nvml_return nvmlDeviceGetComputeInstanceId(device *d, unsigned *id) {
    ENTER(d);
    if (d->mig == WHOLE_GPU) return INVALID_ARGUMENT;
    *id = 0;
    return SUCCESS;
}

/* ---- GPM: Hopper and later; supported where the journal says gpm = 1 ---- */

#ifndef OLD_DRIVER
typedef struct {
    uint64_t t_us;
    int gpu;
} gpm_sample;
typedef struct {
    unsigned id;
    nvml_return answer;
    double value;
    const char *short_name, *long_name, *unit;
} gpm_metric;
typedef struct {
    unsigned version, count;
    gpm_sample *first, *second;
    gpm_metric metrics[];
} gpm_request;
typedef struct {
    unsigned version, supported;
} gpm_support;

static int has_gpm(int gpu) { return gpu_value(gpu, "gpm", 0, now_us()) != 0; }

EXPORT nvml_return nvmlGpmQueryDeviceSupport(device *d, gpm_support *out) {
    ENTER(d);
    if (out->version != 1) return ARGUMENT_VERSION_MISMATCH;
    LOCKED(out->supported = (unsigned)has_gpm(d->gpu));
    return SUCCESS;
}

EXPORT nvml_return nvmlGpmSampleAlloc(gpm_sample **out) {
    ENTER(NULL);
    *out = calloc(1, sizeof **out);
    return SUCCESS;
}

EXPORT nvml_return nvmlGpmSampleFree(gpm_sample *s) {
    ENTER(NULL);
    free(s);
    return SUCCESS;
}

EXPORT nvml_return nvmlGpmSampleGet(device *d, gpm_sample *out) {
    ENTER_WHOLE_GPU(d);
    int supported;
    LOCKED(supported = has_gpm(d->gpu));
    if (!supported) return NOT_SUPPORTED;
    *out = (gpm_sample){now_us(), d->gpu};
    return SUCCESS;
}

EXPORT nvml_return nvmlGpmMetricsGet(gpm_request *request) {
    ENTER(NULL);
    if (request->version != 1) return ARGUMENT_VERSION_MISMATCH;
    const gpm_sample *first = request->first, *second = request->second;
    if (!first || !second || first->gpu != second->gpu || second->t_us <= first->t_us)
        return INVALID_ARGUMENT;
    journal_lock();
    for (unsigned i = 0; i < request->count; i++) {
        gpm_metric *metric = &request->metrics[i];
        char field[24];
        snprintf(field, sizeof field, "gpm.%u", metric->id);
        int known = gpu_text(second->gpu, field, now_us()) != NULL;
        metric->answer = known ? SUCCESS : NOT_SUPPORTED;
        if (known)
            metric->value = gpu_mean(second->gpu, field, 0, second->t_us, second->t_us - first->t_us);
    }
    journal_unlock();
    return SUCCESS;
}
#endif
