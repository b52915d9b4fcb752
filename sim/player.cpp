// Plays beats into the input streams of a design, collects those of its output streams, and holds the design to the
// stream rules on every cycle. Written once; what differs between designs is in the generated glue (player.h).
//
// Usage: player SCRIPT. The script is lines of words, written by sevedo.sim.player; the answer, on standard output, is
// lines too: `progress CYCLES BEATS`, then `error TEXT` or the results.
#include "player.h"
#include "random.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Failure {
    std::string text;
};

struct Counts {
    uint64_t beats = 0, first = 0, last = 0, waits = 0;
    void transfer(uint64_t cycle) {
        if (!beats++) first = cycle;
        last = cycle;
    }
};

struct Source {
    const InputStream* port;
    std::vector<uint32_t> data;
    std::vector<uint32_t> order;  // indices of beats in `data`; empty when each is sent once, in order
    uint64_t total = 0;
    uint64_t stall = 0;  // threshold out of 2^32
    Random random{0};
    Counts counts;
    bool valid = false;
    bool junk = false;
    std::vector<uint32_t> noise;

    // While no beat is offered the payload is noise: a design that looks at it without valid shows itself.
    void offer() {
        if (!valid && counts.beats < total && !(stall && random.chance(stall))) {
            port->payload(&data[(order.empty() ? counts.beats : order[counts.beats]) * port->words]);
            port->valid(true);
            valid = true;
            junk = false;
        } else if (!valid && !junk) {
            for (auto& word : noise) word = random.next();
            port->payload(noise.data());
            port->valid(false);
            junk = true;
        }
    }
    bool step(uint64_t cycle) {
        if (!valid) return false;
        if (!port->ready()) {
            ++counts.waits;
            return false;
        }
        counts.transfer(cycle);
        valid = false;
        return true;
    }
};

struct Sink {
    const OutputStream* port;
    std::vector<uint32_t> data;
    uint64_t total = 0;
    uint64_t stall = 0;
    bool patient = false;
    Random random{0};
    Counts counts;
    bool ready = false;
    bool held = false;  // valid was seen and not yet taken
    std::vector<uint32_t> beat, before;

    void offer(bool draining) {
        ready = draining || ((!patient || held) && !(stall && random.chance(stall)));
        port->ready(ready);
    }
    bool step(uint64_t cycle) {
        if (!port->valid()) {
            if (held) fail(cycle, "valid dropped before the transfer");
            return false;
        }
        if (held) before.swap(beat);
        std::fill(beat.begin(), beat.end(), 0);
        port->payload(beat.data());
        if (held && before != beat) fail(cycle, "payload changed before the transfer");
        held = !ready;
        if (held) {
            ++counts.waits;
            return false;
        }
        if (counts.beats == total) {
            fail(cycle, "surplus beat: " + std::to_string(total) + " were expected");
        }
        data.insert(data.end(), beat.begin(), beat.begin() + port->words);
        counts.transfer(cycle);
        return true;
    }
    [[noreturn]] void fail(uint64_t cycle, const std::string& what) const {
        throw Failure{std::string("stream ") + port->name + ", cycle " + std::to_string(cycle) + ", beat " +
                      std::to_string(counts.beats) + ": " + what};
    }
};

struct Script {
    std::map<std::string, std::vector<std::string>> inputs, outputs, pins;
    std::map<std::string, std::string> settings;

    explicit Script(const char* path) {
        std::ifstream file(path);
        if (!file) throw Failure{std::string("cannot read ") + path};
        for (std::string line; std::getline(file, line);) {
            std::istringstream words(line);
            std::string kind, name, word;
            words >> kind >> name;
            std::vector<std::string> rest;
            while (words >> word) rest.push_back(word);
            if (kind == "input") inputs[name] = rest;
            else if (kind == "output") outputs[name] = rest;
            else if (kind == "pin") pins[name] = rest;
            else settings[kind] = name;
        }
    }
    uint64_t number(const char* key) const { return std::stoull(settings.at(key)); }
};

class Player {
public:
    explicit Player(const Script& script) : script_(script) {
        const uint64_t seed = script.number("seed");
        for (unsigned i = 0; i < dut.input_count; ++i) {
            Source source;
            source.port = &dut.inputs[i];
            const auto& words = script.inputs.at(source.port->name);
            source.total = std::stoull(words[1]);
            source.stall = std::stoull(words[2]);
            source.random = Random(seed * 1000 + i);
            source.noise.resize(source.port->words + 1);
            const uint64_t distinct = words.size() > 4 ? std::stoull(words[4]) : source.total;
            source.data.resize(distinct * source.port->words + 1);
            read(words[0], source.data.data(), distinct * source.port->words);
            if (words.size() > 4) {
                source.order.resize(source.total);
                read(words[3], source.order.data(), source.total);
            }
            sources_.push_back(std::move(source));
        }
        for (unsigned i = 0; i < dut.output_count; ++i) {
            Sink sink;
            sink.port = &dut.outputs[i];
            const auto& words = script.outputs.at(sink.port->name);
            sink.total = std::stoull(words[1]);
            sink.stall = std::stoull(words[2]);
            sink.patient = script.number("patient");
            sink.random = Random(seed * 1000 + 500 + i);
            sink.beat.resize(sink.port->words + 1);
            sink.before.resize(sink.port->words + 1);
            sink.data.reserve(sink.total * sink.port->words);
            sinks_.push_back(std::move(sink));
        }
    }

    void run() {
        const uint64_t timeout = script_.number("timeout"), hang = script_.number("hang");
        const uint64_t drain = script_.number("drain");
        reset();
        uint64_t quiet = 0, drained = 0, shown = 0;
        auto last_shown = std::chrono::steady_clock::now();
        while (drained < drain) {
            const bool moved = cycle(done());
            quiet = moved ? 0 : quiet + 1;
            ++cycle_;
            if (done()) {
                ++drained;
                continue;
            }
            if (quiet >= hang) throw Failure{"no transfer for " + std::to_string(hang) + " cycles" + waiting()};
            if (cycle_ >= timeout) throw Failure{"not finished after " + std::to_string(timeout) + " cycles" + waiting()};
            if (++shown == 4096) {
                shown = 0;
                const auto now = std::chrono::steady_clock::now();
                if (now - last_shown > std::chrono::milliseconds(200)) {
                    last_shown = now;
                    std::printf("progress %llu %llu\n", ull(cycle_), ull(received()));
                    std::fflush(stdout);
                }
            }
        }
    }

    void report() {
        std::printf("progress %llu %llu\n", ull(cycle_), ull(received()));  // however short the run was
        for (const auto& source : sources_) show("input", source.port->name, source.counts);
        for (const auto& sink : sinks_) {
            show("output", sink.port->name, sink.counts);
            std::ofstream file(script_.outputs.at(sink.port->name)[0], std::ios::binary);
            file.write(reinterpret_cast<const char*>(sink.data.data()), static_cast<std::streamsize>(4 * sink.data.size()));
            file.close();
            if (!file) throw Failure{"cannot write " + script_.outputs.at(sink.port->name)[0]};
        }
        for (unsigned i = 0; i < dut.pin_count; ++i) {
            if (!dut.pins[i].read) continue;
            std::vector<uint32_t> value(dut.pins[i].words + 1);
            dut.pins[i].read(value.data());
            std::printf("status %s ", dut.pins[i].name);
            for (unsigned word = dut.pins[i].words; word-- > 0;) std::printf("%08x", value[word]);
            std::printf("\n");
        }
        std::printf("ran %llu\n", ull(cycle_));
    }

private:
    static void read(const std::string& path, uint32_t* to, uint64_t words) {
        std::ifstream file(path, std::ios::binary);
        file.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(4 * words));
        if (!file) throw Failure{"cannot read " + path};
    }

    static unsigned long long ull(uint64_t value) { return value; }

    static void show(const char* kind, const char* name, const Counts& counts) {
        std::printf("%s %s %llu %llu %llu %llu\n", kind, name, ull(counts.beats), ull(counts.first),
                    ull(counts.last), ull(counts.waits));
    }

    void reset() {
        for (unsigned i = 0; i < dut.pin_count; ++i) {
            if (!dut.pins[i].write) continue;
            std::vector<uint32_t> value(dut.pins[i].words + 1);
            const auto found = script_.pins.find(dut.pins[i].name);
            if (found != script_.pins.end())
                for (size_t word = 0; word < found->second.size() && word < value.size(); ++word)
                    value[word] = static_cast<uint32_t>(std::stoul(found->second[word], nullptr, 16));
            dut.pins[i].write(value.data());
        }
        for (auto& source : sources_) {
            source.port->payload(source.noise.data());
            source.port->valid(false);
        }
        for (auto& sink : sinks_) sink.port->ready(false);
        dut.reset(true);
        for (int i = 0; i < 2; ++i) tick();
        dut.reset(false);
    }

    void tick() {
        dut.clock(false);
        dut.eval();
        dut.clock(true);
        dut.eval();
    }

    // Inputs change while the clock is low; everything is sampled when it has settled, just before the rising edge.
    bool cycle(bool draining) {
        dut.clock(false);
        for (auto& source : sources_) source.offer();
        for (auto& sink : sinks_) sink.offer(draining);
        dut.eval();
        bool moved = false;
        for (auto& source : sources_) moved |= source.step(cycle_);
        for (auto& sink : sinks_) moved |= sink.step(cycle_);
        dut.clock(true);
        dut.eval();
        return moved;
    }

    bool done() const {
        for (const auto& source : sources_)
            if (source.counts.beats < source.total) return false;
        for (const auto& sink : sinks_)
            if (sink.counts.beats < sink.total) return false;
        return true;
    }

    uint64_t received() const {
        uint64_t beats = 0;
        for (const auto& sink : sinks_) beats += sink.counts.beats;
        return beats;
    }

    std::string waiting() const {
        std::ostringstream text;
        for (const auto& source : sources_)
            if (source.counts.beats < source.total)
                text << "; input " << source.port->name << " waits for ready at beat " << source.counts.beats << " of "
                     << source.total;
        for (const auto& sink : sinks_)
            if (sink.counts.beats < sink.total)
                text << "; output " << sink.port->name << " gave " << sink.counts.beats << " of " << sink.total
                     << " beats";
        return text.str();
    }

    const Script& script_;
    std::vector<Source> sources_;
    std::vector<Sink> sinks_;
    uint64_t cycle_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    bool opened = false;
    int code = 0;
    try {
        if (argc != 2) throw Failure{"usage: player SCRIPT"};
        const Script script(argv[1]);
        const auto waves = script.settings.find("waves");
        dut.open(waves == script.settings.end() ? nullptr : waves->second.c_str());
        opened = true;
        Player player(script);
        player.run();
        player.report();
    } catch (const Failure& failure) {
        std::printf("error %s\n", failure.text.c_str());
        code = 1;
    } catch (const std::exception& failure) {
        std::printf("error player: %s\n", failure.what());
        code = 1;
    }
    if (opened) dut.close();
    return code;
}
