// Cycle simulation of a flat gate netlist, with the counts that a power calculation needs. Made once for all designs.
//
// One file of 32-bit words in (see gates.py), one out. Two values, no delays: every net is settled once per cycle.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

typedef std::vector<uint32_t> Words;

struct Function {
    uint32_t target;
    std::vector<uint32_t> inputs;
    Words table;
    uint32_t state(const std::vector<uint8_t>& value) const {
        uint32_t index = 0;
        for (size_t i = 0; i < inputs.size(); i++) index |= uint32_t(value[inputs[i]]) << i;
        return index;
    }
    uint8_t at(uint32_t index) const { return table[index >> 5] >> (index & 31) & 1; }
};

// A cell whose states are counted: time in each, changes of each variable into each, and for each output the changes,
// shared equally among the variables that changed with it.
struct Counted {
    std::vector<uint32_t> variables, outputs;
    uint32_t before = 0;
    Words time, changes;
    std::vector<double> causes;
};

static Words words;
static size_t at = 0;
static uint32_t next() { return words[at++]; }

static std::vector<uint32_t> list() {
    std::vector<uint32_t> items(next());
    for (auto& item : items) item = next();
    return items;
}

static std::vector<Function> functions() {
    std::vector<Function> all(next());
    for (auto& one : all) {
        one.target = next();
        one.inputs = list();
        one.table = list();
    }
    return all;
}

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    FILE* file = fopen(argv[1], "rb");
    if (!file) return 3;
    fseek(file, 0, SEEK_END);
    words.resize(ftell(file) / 4);
    rewind(file);
    if (fread(words.data(), 4, words.size(), file) != words.size()) return 4;
    fclose(file);

    const uint32_t nets = next(), cycles = next(), first = next(), last = next();
    const std::vector<Function> gates = functions(), registers = functions();
    const std::vector<uint32_t> initial = list(), sources = list(), targets = list();
    std::vector<Counted> counted(next());
    for (auto& one : counted) {
        one.variables = list();
        one.outputs = list();
        const size_t states = size_t(1) << one.variables.size();
        one.time.assign(states, 0);
        one.changes.assign(states * one.variables.size(), 0);
        one.causes.assign(one.outputs.size() * (one.variables.size() + 1), 0);
    }
    const size_t row = (sources.size() + 31) / 32, told = (targets.size() + 31) / 32;
    if (words.size() - at != row * cycles) return 5;

    std::vector<uint8_t> value(nets, 0), before(nets, 0), following(registers.size());
    value[nets - 1] = 1;  // the last two nets are the constants 0 and 1
    for (size_t i = 0; i < registers.size(); i++) value[registers[i].target] = initial[i];
    Words ones(nets, 0), toggles(nets, 0), answers(told * cycles, 0);

    for (uint32_t cycle = 0; cycle < cycles; cycle++) {
        for (size_t i = 0; i < sources.size(); i++) value[sources[i]] = words[at + (i >> 5)] >> (i & 31) & 1;
        at += row;
        for (const auto& gate : gates) value[gate.target] = gate.at(gate.state(value));
        for (size_t i = 0; i < targets.size(); i++)
            answers[cycle * told + (i >> 5)] |= uint32_t(value[targets[i]]) << (i & 31);
        const bool counting = cycle >= first && cycle <= last;
        if (counting)
            for (uint32_t net = 0; net < nets; net++) {
                ones[net] += value[net];
                toggles[net] += value[net] ^ before[net];
            }
        for (auto& one : counted) {
            uint32_t state = 0;
            const size_t count = one.variables.size();
            for (size_t i = 0; i < count; i++) state |= uint32_t(value[one.variables[i]]) << i;
            if (counting) {
                one.time[state]++;
                const uint32_t changed = state ^ one.before;
                for (size_t i = 0; i < count; i++)
                    if (changed >> i & 1) one.changes[(i << count) + state]++;
                const double share = changed ? 1.0 / __builtin_popcount(changed) : 1.0;
                for (size_t o = 0; o < one.outputs.size(); o++)
                    if (value[one.outputs[o]] != before[one.outputs[o]])
                        for (size_t i = 0; i <= count; i++)
                            if (changed ? (i < count && (changed >> i & 1)) : i == count)
                                one.causes[o * (count + 1) + i] += share;
            }
            one.before = state;
        }
        before = value;
        for (size_t i = 0; i < registers.size(); i++) following[i] = registers[i].at(registers[i].state(value));
        for (size_t i = 0; i < registers.size(); i++) value[registers[i].target] = following[i];
    }

    file = fopen(argv[2], "wb");
    if (!file) return 6;
    auto write = [&](const void* data, size_t bytes) {
        if (bytes && fwrite(data, bytes, 1, file) != 1) exit(7);
    };
    write(answers.data(), answers.size() * 4);
    write(ones.data(), ones.size() * 4);
    write(toggles.data(), toggles.size() * 4);
    for (const auto& one : counted) {
        write(one.time.data(), one.time.size() * 4);
        write(one.changes.data(), one.changes.size() * 4);
        write(one.causes.data(), one.causes.size() * 8);
    }
    return fclose(file) ? 8 : 0;
}
