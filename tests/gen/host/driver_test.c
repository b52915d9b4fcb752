/* The C driver against registers in an array; prints what a test compares. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sevedo.h"
#include "sevedo_registers.h"

static uint32_t registers[256];
static unsigned reads, looks, idles;

static uint32_t read_register(void *context, uint32_t offset)
{
    (void)context;
    ++reads;
    /* The upper half of a counter is what the lower half kept: here it counts reads, so that the order shows. */
    if (offset == SEVEDO_CYCLES_LOW)
        registers[SEVEDO_CYCLES_HIGH / 4] = 1;
    if (offset == SEVEDO_STATUS && looks && --looks == 0)
        registers[SEVEDO_STATUS / 4] = SEVEDO_STATUS_DONE_MASK;
    return registers[offset / 4];
}

static void write_register(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    printf("write %" PRIu32 " %" PRIu32 "\n", offset, value);
    registers[offset / 4] = value;
}

static void idle(void *context)
{
    (void)context;
    ++idles;
}

int main(void)
{
    const sevedo_device device = {read_register, write_register, NULL};
    const sevedo_range image = {UINT64_C(0x1234567800), 4096}, data = {UINT64_C(0xFF00000000), 512};
    sevedo_counters counters;
    sevedo_failure failure;
    int i;

    printf("check %d\n", sevedo_check(&device, 77));
    registers[SEVEDO_ID / 4] = SEVEDO_ID_RESET;
    registers[SEVEDO_VERSION / 4] = SEVEDO_VERSION_MAJOR_RESET << SEVEDO_VERSION_MAJOR_SHIFT;
    printf("check %d\n", sevedo_check(&device, 77));
    registers[SEVEDO_CONFIGURATION / 4] = 77;
    printf("check %d\n", sevedo_check(&device, 77));

    printf("start %d\n", sevedo_start(&device, image, data, 64, 1000));
    registers[SEVEDO_STATUS / 4] = SEVEDO_STATUS_RUNNING_MASK;
    printf("start %d\n", sevedo_start(&device, image, data, 64, 1000));
    printf("poll %d\n", sevedo_poll(&device));
    printf("wait %d\n", sevedo_wait(&device, 3, NULL));
    looks = 5;
    i = sevedo_wait(&device, 100, idle);
    printf("wait %d %u\n", i, idles);
    printf("interrupt %d\n", sevedo_interrupt(&device));

    registers[SEVEDO_STATUS / 4] = SEVEDO_STATUS_FAILED_MASK;
    registers[SEVEDO_ERROR_CODE / 4] = SEVEDO_ERROR_RANGE;
    registers[SEVEDO_ERROR_UNIT / 4] = SEVEDO_UNIT_STORE;
    registers[SEVEDO_ERROR_INSTRUCTION / 4] = 9;
    registers[SEVEDO_ERROR_ADDRESS_LOW / 4] = 5;
    registers[SEVEDO_ERROR_ADDRESS_HIGH / 4] = 6;
    sevedo_get_failure(&device, &failure);
    printf("poll %d\n", sevedo_poll(&device));
    printf("failure %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIx64 "\n", failure.code, failure.unit,
           failure.instruction, failure.address);
    sevedo_stop(&device);
    sevedo_clear(&device);

    for (i = SEVEDO_LOAD_BUSY_LOW / 4; i < 256; ++i)
        registers[i] = 4 * (uint32_t)i;
    registers[SEVEDO_CYCLES_LOW / 4] = 7;
    registers[SEVEDO_INSTRUCTIONS / 4] = 13;
    sevedo_get_counters(&device, &counters);
    printf("counters %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 "\n", counters.cycles, counters.bytes_read,
           counters.bytes_written, counters.instructions);
    for (i = 0; i < SEVEDO_UNITS; ++i)
        printf("unit %d %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", i, counters.unit[i].busy,
               counters.unit[i].wait_token, counters.unit[i].wait_input, counters.unit[i].wait_output);
    for (i = 0; i < 16; ++i)
        if (strcmp(sevedo_error_text((uint32_t)i), "unknown"))
            printf("text %d %s\n", i, sevedo_error_text((uint32_t)i));
    return 0;
}
