// Cycle simulation of one gate netlist for many instances at once: a bit of a 64-bit word is an instance.
//
// The counts are those of gen/synth/gates.cpp, summed over the instances. One file of 64-bit words in (see lanes.py),
// one out. Two values, no delays: every net is settled once per cycle.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define FAST __attribute__((target_clones("popcnt", "default")))
#else
#define FAST
#endif

typedef uint64_t Word;
typedef std::vector<Word> Words;
typedef std::vector<uint32_t> Indices;

// A function as a reduced decision diagram: nodes (variable, when 0, when 1), 0 and 1 being the constants; the last node
// is the function.
struct Node {
    uint32_t variable, low, high;
};
struct Gate {
    uint32_t function, target, first, count;  // first, count: variables
};
struct Cell {
    uint32_t first, count, outputs, out_count;  // places in `variables`
    uint32_t held;                              // cycles that its state has lasted
    size_t time, changes, causes;               // places in the counts
};

static Words words;
static size_t at = 0;
static Word next() { return words[at++]; }

static Indices variables;
static std::vector<std::vector<Node>> functions;
static Words value, before;
static size_t width, lanes;
static Words valid;
static std::vector<uint64_t> times, changes;
static std::vector<double> causes;

static std::vector<Gate> gates() {
    std::vector<Gate> all(next());
    for (auto& one : all) {
        one.function = next();
        one.target = next();
        one.count = next();
        one.first = variables.size();
        for (uint32_t i = 0; i < one.count; i++) variables.push_back(next());
    }
    return all;
}

static Indices list() {
    Indices items(next());
    for (auto& item : items) item = next();
    return items;
}

static void evaluate(const Gate& gate, Word* into) {
    const std::vector<Node>& nodes = functions[gate.function];
    Word found[520];
    for (size_t w = 0; w < width; w++) {
        found[0] = 0;
        found[1] = ~Word(0);
        size_t place = 2;
        for (const Node& node : nodes) {
            const Word x = value[variables[gate.first + node.variable] * width + w];
            found[place++] = (x & found[node.high]) | (~x & found[node.low]);
        }
        into[w] = found[place - 1];
    }
}

// Each state that some of the lanes in `mask` are in, with these lanes.
template <class Leaf>
static inline void leaves(const Cell& cell, const Word* x, uint32_t variable, uint32_t state, Word mask, Leaf leaf) {
    if (!mask) return;
    if (variable == cell.count) {
        leaf(state, mask);
        return;
    }
    leaves(cell, x, variable + 1, state, mask & ~x[variable], leaf);
    leaves(cell, x, variable + 1, state | 1u << variable, mask & x[variable], leaf);
}

FAST static void flush(Cell& cell, const Words& from) {
    if (!cell.held) return;
    Word x[32];
    for (size_t w = 0; w < width; w++) {
        for (uint32_t i = 0; i < cell.count; i++) x[i] = from[variables[cell.first + i] * width + w];
        leaves(cell, x, 0, 0, valid[w], [&](uint32_t state, Word mask) {
            times[cell.time + state] += uint64_t(cell.held) * __builtin_popcountll(mask);
        });
    }
    cell.held = 0;
}

FAST static void count(Cell& cell) {
    Word any = 0;
    for (uint32_t i = 0; i < cell.count; i++) {
        const size_t net = variables[cell.first + i] * width;
        for (size_t w = 0; w < width; w++) any |= (value[net + w] ^ before[net + w]) & valid[w];
    }
    if (!any) {
        cell.held++;
        return;
    }
    flush(cell, before);
    cell.held = 1;
    Word x[32], changed[32];
    for (size_t w = 0; w < width; w++) {
        Word some = 0;
        for (uint32_t i = 0; i < cell.count; i++) {
            const size_t net = variables[cell.first + i] * width + w;
            x[i] = value[net];
            changed[i] = (value[net] ^ before[net]) & valid[w];
            some |= changed[i];
        }
        leaves(cell, x, 0, 0, some, [&](uint32_t state, Word mask) {
            for (uint32_t i = 0; i < cell.count; i++)
                changes[cell.changes + (size_t(i) << cell.count) + state] += __builtin_popcountll(mask & changed[i]);
        });
        for (uint32_t o = 0; o < cell.out_count; o++) {
            const size_t net = variables[cell.outputs + o] * width + w;
            for (Word rest = (value[net] ^ before[net]) & valid[w]; rest; rest &= rest - 1) {
                const Word lane = rest & -rest;
                uint32_t causing = 0;
                for (uint32_t i = 0; i < cell.count; i++) causing += (changed[i] & lane) != 0;
                for (uint32_t i = 0; i < cell.count; i++)
                    if (changed[i] & lane) causes[cell.causes + o * (cell.count + 1) + i] += 1.0 / causing;
            }
        }
    }
}

FAST static void count_nets(std::vector<uint64_t>& ones, std::vector<uint64_t>& toggles) {
    for (size_t net = 0; net < ones.size(); net++)
        for (size_t w = 0; w < width; w++) {
            ones[net] += __builtin_popcountll(value[net * width + w] & valid[w]);
            toggles[net] += __builtin_popcountll((value[net * width + w] ^ before[net * width + w]) & valid[w]);
        }
}

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    FILE* file = fopen(argv[1], "rb");
    if (!file) return 3;
    fseek(file, 0, SEEK_END);
    words.resize(ftell(file) / 8);
    rewind(file);
    if (fread(words.data(), 8, words.size(), file) != words.size()) return 4;
    fclose(file);

    const size_t nets = next(), cycles = next(), first = next(), last = next();
    lanes = next();
    width = (lanes + 63) / 64;
    valid.assign(width, ~Word(0));
    if (lanes % 64) valid[width - 1] = (Word(1) << lanes % 64) - 1;
    functions.resize(next());
    for (auto& nodes : functions) {
        nodes.resize(next());
        for (auto& node : nodes) node = {uint32_t(next()), uint32_t(next()), uint32_t(next())};
    }
    const std::vector<Gate> logic = gates(), registers = gates();
    const Indices initial = list(), sources = list(), targets = list();
    std::vector<Cell> cells(next());
    size_t time_size = 0, change_size = 0, cause_size = 0;
    for (auto& one : cells) {
        one.count = next();
        one.first = variables.size();
        for (uint32_t i = 0; i < one.count; i++) variables.push_back(next());
        one.out_count = next();
        one.outputs = variables.size();
        for (uint32_t i = 0; i < one.out_count; i++) variables.push_back(next());
        one.held = 0;
        one.time = time_size;
        one.changes = change_size;
        one.causes = cause_size;
        time_size += size_t(1) << one.count;
        change_size += size_t(one.count) << one.count;
        cause_size += one.out_count * (one.count + 1);
    }
    times.assign(time_size, 0);
    changes.assign(change_size, 0);
    causes.assign(cause_size, 0);

    // A single instance has its signals side by side, others have words of their own for each signal.
    const bool single = lanes == 1;
    const size_t row = single ? (sources.size() + 63) / 64 : sources.size() * width;
    const size_t told = single ? (targets.size() + 63) / 64 : targets.size() * width;
    if (words.size() - at != row * cycles) return 5;
    value.assign(nets * width, 0);
    before.assign(nets * width, 0);
    Words following(registers.size() * width), answers(told * cycles, 0);
    for (size_t w = 0; w < width; w++) value[(nets - 1) * width + w] = ~Word(0);  // the last two nets are 0 and 1
    for (size_t i = 0; i < registers.size(); i++)
        for (size_t w = 0; w < width; w++) value[registers[i].target * width + w] = initial[i] ? ~Word(0) : 0;
    std::vector<uint64_t> ones(nets, 0), toggles(nets, 0);

    for (size_t cycle = 0; cycle < cycles; cycle++) {
        for (size_t i = 0; i < sources.size(); i++)
            for (size_t w = 0; w < width; w++)
                value[sources[i] * width + w] =
                    single ? (words[at + (i >> 6)] >> (i & 63) & 1 ? ~Word(0) : 0) : words[at + i * width + w];
        at += row;
        for (const auto& gate : logic) evaluate(gate, &value[gate.target * width]);
        for (size_t i = 0; i < targets.size(); i++)
            for (size_t w = 0; w < width; w++) {
                const Word found = value[targets[i] * width + w] & valid[w];
                if (single)
                    answers[cycle * told + (i >> 6)] |= found << (i & 63);
                else
                    answers[cycle * told + i * width + w] = found;
            }
        if (cycle >= first && cycle <= last) {
            count_nets(ones, toggles);
            for (auto& cell : cells) count(cell);
        }
        if (cycle == last)
            for (auto& cell : cells) flush(cell, value);
        before = value;
        for (size_t i = 0; i < registers.size(); i++) evaluate(registers[i], &following[i * width]);
        for (size_t i = 0; i < registers.size(); i++)
            for (size_t w = 0; w < width; w++) value[registers[i].target * width + w] = following[i * width + w];
    }

    file = fopen(argv[2], "wb");
    if (!file) return 6;
    auto write = [&](const void* data, size_t bytes) {
        if (bytes && fwrite(data, bytes, 1, file) != 1) exit(7);
    };
    write(answers.data(), answers.size() * 8);
    write(ones.data(), ones.size() * 8);
    write(toggles.data(), toggles.size() * 8);
    write(times.data(), times.size() * 8);
    write(changes.data(), changes.size() * 8);
    write(causes.data(), causes.size() * 8);
    return fclose(file) ? 8 : 0;
}
