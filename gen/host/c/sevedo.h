/* Driver of a SeVeDo processor: any host with a C99 compiler and a way to its registers.
 *
 * Needs sevedo_registers.h (sevedo registers --format c) and sevedo_instructions.h (sevedo program header). Memory is the caller's: image and data segments lie in DRAM
 * where the caller put them (docs/image.md), and caches are written back before `sevedo_start` and dropped after
 * `sevedo_wait`. Nothing is allocated, nothing is global; one thread at a time uses a device.
 */
#ifndef SEVEDO_H
#define SEVEDO_H

#include <stdint.h>

#include "sevedo_instructions.h"

/* How registers are reached; `context` is handed through. Offsets are in bytes, from the first register. */
typedef struct {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
} sevedo_device;

/* Bytes of DRAM as the processor addresses it, multiples of its bus width. */
typedef struct {
    uint64_t base;
    uint32_t size;
} sevedo_range;

enum {
    SEVEDO_OK = 0,
    SEVEDO_FAILED = -1,           /* the program ended with an error: sevedo_get_failure */
    SEVEDO_BUSY = -2,             /* still running, or: not to be started, since it runs or has failed */
    SEVEDO_NO_DEVICE = -3,        /* what answers is no SeVeDo processor of this version */
    SEVEDO_OTHER_CONFIGURATION = -4 /* the processor is not what the program was compiled for */
};

/* Why a program failed: an enum sevedo_error, an enum sevedo_unit. */
typedef struct {
    uint32_t code;
    uint32_t unit;
    uint32_t instruction; /* its number, from 0 */
    uint64_t address;     /* of errors of range, read and write */
} sevedo_failure;

/* Cycles of a unit: with an instruction, and of these waiting for input and for room; before one, waiting for tokens. */
typedef struct {
    uint64_t busy;
    uint64_t wait_token;
    uint64_t wait_input;
    uint64_t wait_output;
} sevedo_unit_counters;

#define SEVEDO_UNITS 5 /* an index of counters is an enum sevedo_unit */

typedef struct {
    uint64_t cycles;
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint32_t instructions;
    sevedo_unit_counters unit[SEVEDO_UNITS];
} sevedo_counters;

/* Check what answers. `fingerprint` is that of the program: the key of that name in program.json. */
int sevedo_check(const sevedo_device *device, uint32_t fingerprint);

/* Start a program at byte offset `program` of the image. The processor reads `image` and `data` and writes `data`, and
 * touches nothing else. `watchdog`: cycles without progress after which it fails, 0 for never. */
int sevedo_start(const sevedo_device *device, sevedo_range image, sevedo_range data, uint32_t program, uint32_t watchdog);

/* Look once: SEVEDO_BUSY while it runs, else SEVEDO_OK or SEVEDO_FAILED. */
int sevedo_poll(const sevedo_device *device);

/* Look until it has ended, at most `polls` times; `idle`, if not null, is called between looks. */
int sevedo_wait(const sevedo_device *device, uint64_t polls, void (*idle)(void *context));

/* An interrupt handler: takes the interrupt back; what sevedo_poll says. */
int sevedo_interrupt(const sevedo_device *device);

/* Start nothing new; the program fails as soon as its bursts are over. */
void sevedo_stop(const sevedo_device *device);

/* After a failure: put everything but the registers back to its initial state. */
void sevedo_clear(const sevedo_device *device);

void sevedo_get_failure(const sevedo_device *device, sevedo_failure *failure);
void sevedo_get_counters(const sevedo_device *device, sevedo_counters *counters);

/* The meaning of an error code, in words. */
const char *sevedo_error_text(uint32_t code);

#endif
