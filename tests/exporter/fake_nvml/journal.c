#define _GNU_SOURCE
#include "journal.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { KEY_SIZE = 80, LOOK_EVERY_US = 1000, STEPS_PER_WINDOW = 16 };
enum { NO_GPU_KEY = -2, EVERY_GPU_KEY = -1 };

typedef struct {
    enum { NUMBER, SINE, SQUARE } shape;
    double low, high, period_s; /* a number is its own low */
} formula;

typedef struct {
    uint64_t from_us;
    char *text;
    formula value;
} entry;

typedef struct {
    int gpu;
    char name[KEY_SIZE];
    int count, capacity;
    entry *entries; /* by time; equal times keep the order of the file */
} series;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static series *table;
static int table_count, table_capacity;
static uint64_t origin_us, looked_us;
static off_t read_upto;
static ino_t read_inode;
static int scripts_calls;

uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void journal_lock(void) { pthread_mutex_lock(&lock); }
void journal_unlock(void) { pthread_mutex_unlock(&lock); }

uint64_t journal_origin_us(void) {
    if (!origin_us) origin_us = now_us();
    return origin_us;
}

static void *grown(void *block, int *capacity, size_t item) {
    *capacity = *capacity ? *capacity * 2 : 8;
    block = realloc(block, (size_t)*capacity * item);
    if (!block) abort();
    return block;
}

static series *lookup(int gpu, const char *name) {
    for (int i = 0; i < table_count; i++)
        if (table[i].gpu == gpu && !strcmp(table[i].name, name)) return &table[i];
    return NULL;
}

/* "3.util" is util of GPU 3, "*.util" that of every GPU, and "gpus" concerns none. */
static series *lookup_or_add(const char *key) {
    int gpu = NO_GPU_KEY;
    if (!strncmp(key, "*.", 2)) {
        gpu = EVERY_GPU_KEY;
        key += 2;
    } else if (isdigit((unsigned char)*key)) {
        char *dot;
        gpu = (int)strtol(key, &dot, 10);
        key = *dot ? dot + 1 : dot;
    }
    series *found = lookup(gpu, key);
    if (found) return found;
    if (table_count == table_capacity) table = grown(table, &table_capacity, sizeof *table);
    found = &table[table_count++];
    memset(found, 0, sizeof *found);
    found->gpu = gpu;
    snprintf(found->name, sizeof found->name, "%s", key);
    if (!strncmp(key, "ret.", 4) || !strncmp(key, "hang.", 5) || !strncmp(key, "delay_us.", 9)) scripts_calls = 1;
    return found;
}

static formula understood(const char *text) {
    formula f = {NUMBER, 0, 0, 0};
    int square = !strncmp(text, "square(", 7), sine = !strncmp(text, "sin(", 4);
    if ((square || sine) &&
        sscanf(strchr(text, '(') + 1, "%lf,%lf,%lf", &f.low, &f.high, &f.period_s) == 3 && f.period_s > 0)
        f.shape = square ? SQUARE : SINE;
    else
        f.low = strtod(text, NULL); /* reads 0x.. as well */
    return f;
}

static void insert(const char *key, uint64_t from_us, const char *text) {
    series *into = lookup_or_add(key);
    if (into->count == into->capacity) into->entries = grown(into->entries, &into->capacity, sizeof(entry));
    int at = into->count++;
    for (; at > 0 && into->entries[at - 1].from_us > from_us; at--) into->entries[at] = into->entries[at - 1];
    into->entries[at] = (entry){from_us, strdup(text), understood(text)};
}

static void forget_everything(void) {
    for (int i = 0; i < table_count; i++) {
        for (int j = 0; j < table[i].count; j++) free(table[i].entries[j].text);
        free(table[i].entries);
    }
    table_count = 0;
    scripts_calls = 0;
    read_upto = 0;
}

static char *trimmed(char *text) {
    text += strspn(text, " \t");
    char *end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1])) end--;
    *end = 0;
    return text;
}

static void read_line(char *line, uint64_t unstamped_from_us) {
    char *comment = strchr(line, '#');
    if (comment) *comment = 0;
    line = trimmed(line);
    uint64_t from_us = unstamped_from_us;
    char *rest = line;
    if (*line == '+') from_us = journal_origin_us() + (uint64_t)(strtod(line + 1, &rest) * 1e6);
    if (*line == '@') from_us = strtoull(line + 1, &rest, 10);
    char *equals = strchr(rest, '=');
    if (!equals) return;
    *equals = 0;
    char *key = trimmed(rest);
    if (*key) insert(key, from_us, trimmed(equals + 1));
}

void journal_refresh(void) {
    uint64_t now = now_us();
    if (looked_us && now - looked_us < LOOK_EVERY_US) return;
    looked_us = now;
    const char *path = getenv("FAKE_NVML_SCRIPT");
    struct stat status;
    if (!path || stat(path, &status)) return;
    if (status.st_size < read_upto || status.st_ino != read_inode) {
        forget_everything();
        read_inode = status.st_ino;
    }
    if (status.st_size == read_upto) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    uint64_t unstamped_from_us = read_upto ? now : 0;
    fseeko(file, read_upto, SEEK_SET);
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, file)) > 0 && line[n - 1] == '\n';) {
        read_upto += n;
        read_line(line, unstamped_from_us);
    }
    free(line);
    fclose(file);
}

static const entry *in_force(const series *of, uint64_t t_us) {
    for (int i = of ? of->count - 1 : -1; i >= 0; i--)
        if (of->entries[i].from_us <= t_us) return &of->entries[i];
    return NULL;
}

static const entry *gpu_entry(const series *own, const series *common, uint64_t t_us) {
    const entry *found = in_force(own, t_us);
    return found ? found : in_force(common, t_us);
}

static double at_time(const entry *e, double otherwise, uint64_t t_us) {
    if (!e) return otherwise;
    const formula *f = &e->value;
    if (f->shape == NUMBER) return f->low;
    double phase = fmod((double)t_us / 1e6, f->period_s) / f->period_s;
    if (f->shape == SQUARE) return phase < .5 ? f->low : f->high;
    return f->low + (f->high - f->low) * .5 * (1 - cos(2 * M_PI * phase));
}

int journal_scripts_calls(void) { return scripts_calls; }

const char *journal_text(const char *key, uint64_t t_us) {
    const entry *found = in_force(lookup(NO_GPU_KEY, key), t_us);
    return found ? found->text : NULL;
}

const char *gpu_text(int gpu, const char *field, uint64_t t_us) {
    const entry *found = gpu_entry(lookup(gpu, field), lookup(EVERY_GPU_KEY, field), t_us);
    return found ? found->text : NULL;
}

double global_value(const char *key, double otherwise, uint64_t t_us) {
    return at_time(in_force(lookup(NO_GPU_KEY, key), t_us), otherwise, t_us);
}

double gpu_value(int gpu, const char *field, double otherwise, uint64_t t_us) {
    return at_time(gpu_entry(lookup(gpu, field), lookup(EVERY_GPU_KEY, field), t_us), otherwise, t_us);
}

double gpu_mean(int gpu, const char *field, double otherwise, uint64_t end_us, uint64_t period_us) {
    const series *own = lookup(gpu, field), *common = lookup(EVERY_GPU_KEY, field);
    double sum = 0;
    for (uint64_t i = 0; i < STEPS_PER_WINDOW; i++) {
        uint64_t t_us = end_us - period_us + period_us * (2 * i + 1) / (2 * STEPS_PER_WINDOW);
        sum += at_time(gpu_entry(own, common, t_us), otherwise, t_us);
    }
    return sum / STEPS_PER_WINDOW;
}

double gpu_held_mean(int gpu, const char *field, double otherwise, const char *period_field,
                     uint64_t usual_period_us) {
    uint64_t now = now_us();
    uint64_t period_us = (uint64_t)gpu_value(gpu, period_field, (double)usual_period_us, now);
    if (!period_us) return gpu_value(gpu, field, otherwise, now);
    return gpu_mean(gpu, field, otherwise, now - now % period_us, period_us);
}

int gpu_occurrences(int gpu, const char *field, uint64_t t_us) {
    series *found = lookup(gpu, field);
    int n = 0;
    while (found && n < found->count && found->entries[n].from_us <= t_us) n++;
    return n;
}

const char *gpu_occurrence(int gpu, const char *field, int n) { return lookup(gpu, field)->entries[n].text; }
