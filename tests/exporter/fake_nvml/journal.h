/* The script that drives the scripted NVML: an append-only text journal of timed values.
 *
 * One line is   [when] key = value   and everything after a '#' is ignored.
 *   (no when)       in force from the moment the line is read; from the beginning, in the first read
 *   +<seconds>      that long after this process first called the library
 *   @<unix us>      at that wall-clock time
 * A line counts once its newline is there.  The file is read on as it grows and again from its
 * start if it shrinks or is replaced, so a test, or a stub model server, drives the devices by
 * appending lines, and a whole scenario can be laid out beforehand.
 *
 * Values of devices are asked for by (gpu, field): "3.util" wins over "*.util".  A value is a
 * number (0x.. too), sin(low,high,period_s) or square(low,high,period_s).
 *
 * None of these functions locks: the caller holds journal_lock().                              */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdint.h>

uint64_t now_us(void);

void journal_lock(void);
void journal_unlock(void);

/* Reads what was appended to $FAKE_NVML_SCRIPT; looks at the file once a millisecond at most. */
void journal_refresh(void);
/* Whether any function is told to fail, hang or be slow: asked at every call, so that calls stay cheap. */
int journal_scripts_calls(void);

/* When this process first called the library, in us since the epoch. */
uint64_t journal_origin_us(void);

/* The text in force at t, or NULL.  It stays valid until the lock is released. */
const char *journal_text(const char *key, uint64_t t_us);
const char *gpu_text(int gpu, const char *field, uint64_t t_us);

double global_value(const char *key, double otherwise, uint64_t t_us);
double gpu_value(int gpu, const char *field, double otherwise, uint64_t t_us);

/* Mean over [end - period, end). */
double gpu_mean(int gpu, const char *field, double otherwise, uint64_t end_us, uint64_t period_us);

/* Mean over the last whole period, held until the next one ends: how averaged counters behave. */
double gpu_held_mean(int gpu, const char *field, double otherwise, const char *period_field,
                     uint64_t usual_period_us);

/* A field whose every line is an occurrence rather than a level: how many until t, and the nth. */
int gpu_occurrences(int gpu, const char *field, uint64_t t_us);
const char *gpu_occurrence(int gpu, const char *field, int n);

#endif
