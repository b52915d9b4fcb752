#include "sevedo.h"

#include <stddef.h>

#include "sevedo_registers.h"

#define INTERRUPTS (SEVEDO_INTERRUPT_DONE_MASK | SEVEDO_INTERRUPT_FAILED_MASK)

static uint32_t get(const sevedo_device *device, uint32_t offset)
{
    return device->read(device->context, offset);
}

static void set(const sevedo_device *device, uint32_t offset, uint32_t value)
{
    device->write(device->context, offset, value);
}

/* The lower half first: reading it keeps the upper half of a counter. */
static uint64_t get_pair(const sevedo_device *device, uint32_t low, uint32_t high)
{
    const uint64_t lower = get(device, low);
    return lower | (uint64_t)get(device, high) << 32;
}

int sevedo_check(const sevedo_device *device, uint32_t fingerprint)
{
    const uint32_t version = get(device, SEVEDO_VERSION);
    const uint32_t major = (version & SEVEDO_VERSION_MAJOR_MASK) >> SEVEDO_VERSION_MAJOR_SHIFT;
    if (get(device, SEVEDO_ID) != SEVEDO_ID_RESET || major != SEVEDO_VERSION_MAJOR_RESET)
        return SEVEDO_NO_DEVICE;
    return get(device, SEVEDO_CONFIGURATION) == fingerprint ? SEVEDO_OK : SEVEDO_OTHER_CONFIGURATION;
}

int sevedo_start(const sevedo_device *device, sevedo_range image, sevedo_range data, uint32_t program, uint32_t watchdog)
{
    if (get(device, SEVEDO_STATUS) & (SEVEDO_STATUS_RUNNING_MASK | SEVEDO_STATUS_FAILED_MASK))
        return SEVEDO_BUSY;
    set(device, SEVEDO_IMAGE_BASE_LOW, (uint32_t)image.base);
    set(device, SEVEDO_IMAGE_BASE_HIGH, (uint32_t)(image.base >> 32));
    set(device, SEVEDO_IMAGE_SIZE, image.size);
    set(device, SEVEDO_DATA_BASE_LOW, (uint32_t)data.base);
    set(device, SEVEDO_DATA_BASE_HIGH, (uint32_t)(data.base >> 32));
    set(device, SEVEDO_DATA_SIZE, data.size);
    set(device, SEVEDO_PROGRAM, program);
    set(device, SEVEDO_WATCHDOG, watchdog);
    set(device, SEVEDO_INTERRUPT, INTERRUPTS);
    set(device, SEVEDO_INTERRUPT_ENABLE, SEVEDO_INTERRUPT_ENABLE_DONE_MASK | SEVEDO_INTERRUPT_ENABLE_FAILED_MASK);
    set(device, SEVEDO_CONTROL, SEVEDO_CONTROL_START_MASK);
    return SEVEDO_OK;
}

int sevedo_poll(const sevedo_device *device)
{
    const uint32_t status = get(device, SEVEDO_STATUS);
    if (status & SEVEDO_STATUS_FAILED_MASK)
        return SEVEDO_FAILED;
    return status & SEVEDO_STATUS_DONE_MASK ? SEVEDO_OK : SEVEDO_BUSY;
}

int sevedo_wait(const sevedo_device *device, uint64_t polls, void (*idle)(void *context))
{
    int state = SEVEDO_BUSY;
    while (polls-- && (state = sevedo_poll(device)) == SEVEDO_BUSY)
        if (idle != NULL)
            idle(device->context);
    return state;
}

int sevedo_interrupt(const sevedo_device *device)
{
    set(device, SEVEDO_INTERRUPT, INTERRUPTS);
    return sevedo_poll(device);
}

void sevedo_stop(const sevedo_device *device)
{
    set(device, SEVEDO_CONTROL, SEVEDO_CONTROL_STOP_MASK);
}

void sevedo_clear(const sevedo_device *device)
{
    set(device, SEVEDO_CONTROL, SEVEDO_CONTROL_CLEAR_MASK);
    set(device, SEVEDO_INTERRUPT, INTERRUPTS);
}

void sevedo_get_failure(const sevedo_device *device, sevedo_failure *failure)
{
    failure->code = get(device, SEVEDO_ERROR_CODE);
    failure->unit = get(device, SEVEDO_ERROR_UNIT);
    failure->instruction = get(device, SEVEDO_ERROR_INSTRUCTION);
    failure->address = get_pair(device, SEVEDO_ERROR_ADDRESS_LOW, SEVEDO_ERROR_ADDRESS_HIGH);
}

void sevedo_get_counters(const sevedo_device *device, sevedo_counters *counters)
{
    /* The counters of all units are laid out alike. */
    static const uint32_t first[SEVEDO_UNITS] = {
        SEVEDO_LOAD_BUSY_LOW, SEVEDO_STREAM_BUSY_LOW, SEVEDO_QUANTIZE_BUSY_LOW, SEVEDO_MATMUL_BUSY_LOW,
        SEVEDO_STORE_BUSY_LOW,
    };
    const uint32_t token = SEVEDO_LOAD_WAIT_TOKEN_LOW - SEVEDO_LOAD_BUSY_LOW;
    const uint32_t input = SEVEDO_LOAD_WAIT_INPUT_LOW - SEVEDO_LOAD_BUSY_LOW;
    const uint32_t output = SEVEDO_LOAD_WAIT_OUTPUT_LOW - SEVEDO_LOAD_BUSY_LOW;
    const uint32_t high = SEVEDO_LOAD_BUSY_HIGH - SEVEDO_LOAD_BUSY_LOW;
    int i;

    counters->cycles = get_pair(device, SEVEDO_CYCLES_LOW, SEVEDO_CYCLES_HIGH);
    counters->bytes_read = get_pair(device, SEVEDO_BYTES_READ_LOW, SEVEDO_BYTES_READ_HIGH);
    counters->bytes_written = get_pair(device, SEVEDO_BYTES_WRITTEN_LOW, SEVEDO_BYTES_WRITTEN_HIGH);
    counters->instructions = get(device, SEVEDO_INSTRUCTIONS);
    for (i = 0; i < SEVEDO_UNITS; ++i) {
        sevedo_unit_counters *unit = &counters->unit[i];
        unit->wait_input = get_pair(device, first[i] + input, first[i] + input + high);
        unit->wait_output = get_pair(device, first[i] + output, first[i] + output + high);
        unit->wait_token = get_pair(device, first[i] + token, first[i] + token + high);
        unit->busy = get_pair(device, first[i], first[i] + high);
    }
}

const char *sevedo_error_text(uint32_t code)
{
    switch (code) {
    case SEVEDO_ERROR_NONE: return "no error";
    case SEVEDO_ERROR_ILLEGAL: return "an illegal instruction";
    case SEVEDO_ERROR_RANGE: return "an access outside the granted ranges";
    case SEVEDO_ERROR_READ: return "DRAM answered a read with an error";
    case SEVEDO_ERROR_WRITE: return "DRAM answered a write with an error";
    case SEVEDO_ERROR_TOKEN_MISSING: return "tokens are missing";
    case SEVEDO_ERROR_TOKEN_OVERFLOW: return "too many tokens of a kind";
    case SEVEDO_ERROR_STREAM: return "a STREAM ends within a bundle";
    case SEVEDO_ERROR_STALL: return "no progress";
    case SEVEDO_ERROR_STOPPED: return "stopped by the host";
    default: return "unknown";
    }
}
