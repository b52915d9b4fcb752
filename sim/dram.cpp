// A processor with a DRAM on its AXI4 master and the host on its registers, told what to do on standard input.
//
// Included by the glue of one design (sevedo.sim.dram_glue), which defines `Port`, `BYTES` and the model. A command is a
// line of words, `load` with bytes behind it; its answer a line, `ok ...` or `fail TEXT`, of `save` with bytes behind it.
// Time moves in `read`, `write`, `run` and `reset` alone. After a broken rule every command that moves time fails with it.
//
//   read ADDRESS | write ADDRESS VALUE        a register: `ok VALUE RESPONSE`, `ok RESPONSE`
//   load ADDRESS SIZE | save ADDRESS SIZE     memory
//   run CYCLES                                until the interrupt, at most so long: `ok CYCLE IRQ`
//   grant read|write BASE SIZE | revoke       ranges that the master may touch
//   set NAME VALUE | stall AR R AW W B LITE   of the DRAM; stalls in chances out of 2^32
//   fault read|write range BASE SIZE RESPONSE, fault read|write access NUMBER RESPONSE | mend
//   trace PATH WINDOW | trace                 changes of `activity`, and traffic every WINDOW cycles, to a file; stop
//   counts | reset | quit
#include <cstdio>
#include <iostream>
#include <sstream>

#include "dram.h"
#include "registers.h"

namespace {

// Records of the trace: three words of activity, or bytes read, bytes written and 0 since the last such record.
struct Record {
    uint64_t cycle;
    uint32_t kind, words[3];
};

class Simulation {
public:
    explicit Simulation(const char* waves) { open_model(waves); }
    ~Simulation() {
        stop_trace();
        close_model();
    }

    void serve() {
        reset();
        for (std::string line; std::getline(std::cin, line);) {
            std::istringstream words(line);
            std::string name;
            words >> name;
            if (name == "quit") break;
            std::string bytes, answer;
            try {
                answer = "ok" + obey(name, words, bytes);
            } catch (const Failure& failure) {
                answer = "fail " + failure.text;
                bytes.clear();
            }
            std::cout << answer << '\n' << bytes << std::flush;
        }
    }

private:
    std::string obey(const std::string& name, std::istringstream& words, std::string& bytes) {
        if (name == "read" || name == "write") return access(name == "write", words);
        if (name == "load" || name == "save") return move(name == "load", words, bytes);
        if (name == "run") return run(number(words));
        if (name == "reset") return reset(), "";
        if (name == "grant") {
            std::string kind;
            words >> kind;
            const Range range{number(words), number(words)};
            (kind == "write" ? dram_.writable : dram_.readable).push_back(range);
            return "";
        }
        if (name == "revoke") return dram_.readable.clear(), dram_.writable.clear(), "";
        if (name == "set") return set(words), "";
        if (name == "stall") {
            for (auto& each : dram_.settings.stall) each = number(words);
            registers_.stall = number(words);
            return "";
        }
        if (name == "fault") return order(words), "";
        if (name == "mend") return dram_.mend(), "";
        if (name == "trace") return trace(words), "";
        if (name == "counts") {
            const auto& t = dram_.traffic;
            return join({cycle_, t.read_bytes, t.written_bytes, t.reads, t.writes});
        }
        throw Failure{"unknown command " + name};
    }

    static std::string join(std::initializer_list<uint64_t> values) {
        std::string text;
        for (uint64_t value : values) text += " " + std::to_string(value);
        return text;
    }
    static uint64_t number(std::istringstream& words) {
        uint64_t value;
        if (!(words >> value)) throw Failure{"a number is missing"};
        return value;
    }

    std::string access(bool write, std::istringstream& words) {
        const uint64_t address = number(words);
        registers_.start(write, address, write ? static_cast<uint32_t>(number(words)) : 0);
        for (unsigned waited = 0; registers_.busy(); ++waited) {
            if (waited == 10'000) fail("register " + hex(address) + " does not answer");
            cycle();
        }
        if (write) return join({registers_.response()});
        return join({registers_.value(), registers_.response()});
    }

    std::string move(bool load, std::istringstream& words, std::string& bytes) {
        const uint64_t address = number(words), size = number(words);
        bytes.resize(size);
        auto* at = reinterpret_cast<uint8_t*>(&bytes[0]);
        if (!load) return dram_.memory.read(address, at, size), "";
        std::cin.read(&bytes[0], static_cast<std::streamsize>(size));
        dram_.memory.write(address, at, size);
        bytes.clear();
        return "";
    }

    std::string run(uint64_t cycles) {
        check();
        for (uint64_t i = 0; i < cycles && !Port::irq(); ++i) cycle();
        return join({cycle_, Port::irq()});
    }

    void set(std::istringstream& words) {
        std::string name;
        words >> name;
        auto& s = dram_.settings;
        const std::map<std::string, uint64_t*> fields = {
            {"latency", &s.latency},   {"bandwidth", &s.bandwidth}, {"outstanding", &s.outstanding},
            {"burst", &s.burst},       {"reorder", &s.reorder},     {"patient", &s.patient},
            {"seed", &s.seed},
        };
        const auto found = fields.find(name);
        if (found == fields.end()) throw Failure{"unknown setting " + name};
        *found->second = number(words);
    }

    void order(std::istringstream& words) {
        std::string way, kind;
        words >> way >> kind;
        Fault fault{way == "write", kind == "access", 0, {0, 0}, 0};
        if (fault.by_access) fault.access = number(words);
        else fault.range = Range{number(words), number(words)};
        fault.response = static_cast<unsigned>(number(words));
        dram_.order(fault);
    }

    void trace(std::istringstream& words) {
        std::string path;
        stop_trace();
        if (!(words >> path)) return;
        window_ = number(words);
        file_ = std::fopen(path.c_str(), "wb");
        if (!file_) throw Failure{"cannot write " + path};
        shown_ = dram_.traffic;
        before_.fill(0);
        record(true);
    }
    void stop_trace() {
        if (!file_) return;
        traffic();
        record(true);
        std::fclose(file_);
        file_ = nullptr;
    }
    void record(bool always) {
        std::array<uint32_t, 4> now{};
        Port::activity(now.data());
        if (now == before_ && !always) return;
        before_ = now;
        put(0, now[0], now[1], now[2]);
    }
    void traffic() {
        const auto& t = dram_.traffic;
        put(1, static_cast<uint32_t>(t.read_bytes - shown_.read_bytes),
            static_cast<uint32_t>(t.written_bytes - shown_.written_bytes), 0);
        shown_ = t;
    }
    void put(uint32_t kind, uint32_t a, uint32_t b, uint32_t c) {
        const Record record{cycle_, kind, {a, b, c}};
        std::fwrite(&record, sizeof record, 1, file_);
    }

    void reset() {
        failure_.clear();
        dram_.restart();
        registers_.restart(dram_.settings.seed);
        Port::reset(1);
        for (int i = 0; i < 4; ++i) {
            Port::m_axi_rvalid(0), Port::m_axi_bvalid(0);
            registers_.drive();
            step([&] {
                if (i && (Port::m_axi_arvalid() || Port::m_axi_awvalid() || Port::m_axi_wvalid() ||
                          Port::s_axi_rvalid() || Port::s_axi_bvalid()))
                    throw Failure{"VALID during reset"};
            });
        }
        Port::reset(0);
    }

    void check() const {
        if (!failure_.empty()) throw Failure{failure_};
    }
    [[noreturn]] void fail(const std::string& text) {
        failure_ = "cycle " + std::to_string(cycle_) + ": " + text;
        throw Failure{failure_};
    }

    // Inputs change while the clock is low; everything is sampled when it has settled, just before the rising edge.
    template <class Sample>
    void step(Sample sample) {
        Port::clock(0);
        evaluate();
        try {
            sample();
        } catch (const Failure& failure) {
            fail(failure.text);
        }
        Port::clock(1);
        evaluate();
    }

    void cycle() {
        check();
        dram_.drive(cycle_);
        registers_.drive();
        step([&] {
            dram_.sample(cycle_);
            registers_.sample();
            if (file_) record(false);
        });
        ++cycle_;
        if (file_ && window_ && cycle_ % window_ == 0) traffic();
    }

    Dram<BYTES, Port> dram_;
    RegisterMaster<Port> registers_;
    uint64_t cycle_ = 0, window_ = 0;
    std::string failure_;
    std::FILE* file_ = nullptr;
    std::array<uint32_t, 4> before_{};
    Traffic shown_;
};

}  // namespace

int main(int argc, char** argv) {
    Simulation(argc > 1 ? argv[1] : nullptr).serve();
    return 0;
}
