// Both ends of the wire between a program and its tests; the format is in the docstring of the package `native`.
// What reads checks every byte: whatever the other side sends, the process goes on with a value or ends.
#ifndef HARNESS_WIRE_H
#define HARNESS_WIRE_H
#include <algorithm>
#include <any>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace harness {

enum { LARGEST_MESSAGE = 1 << 24, CALL_FAILED = 96, WRONG_VALUE = 98, TOO_LARGE = 99, DEEPEST = 200 };

[[noreturn]] inline void end(int status, const char *why) {
    std::fflush(stdout);
    if (*why) std::fprintf(stderr, "%s\n", why);
    _exit(status);
}

[[noreturn]] inline void wrong_value() { end(WRONG_VALUE, "the value is not one of the declared type"); }

template <class T, class = void> struct Codec;
template <class T> using Plain = std::remove_cv_t<std::remove_reference_t<T>>;

class Writer {
  public:
    template <class T> void put(const T &value) { Codec<T>::put(*this, value); }
    void tag(char kind) { bytes_ += kind; }
    void number(std::uint64_t value, int bytes) {
        while (bytes--) bytes_ += static_cast<char>(value >> (8 * bytes));
    }
    void text(char kind, const char *content, std::size_t length) {
        tag(kind);
        number(length, 4);
        bytes_.append(content, length);
    }
    void count(char kind, std::size_t length) {
        tag(kind);
        number(length, 4);
    }
    void send(int descriptor) const {
        if (bytes_.size() > LARGEST_MESSAGE) end(TOO_LARGE, "a value of more than 16 MiB");
        Writer message;
        message.number(bytes_.size(), 4);
        message.bytes_ += bytes_;
        for (std::size_t sent = 0; sent < message.bytes_.size();) {
            ssize_t some = write(descriptor, message.bytes_.data() + sent, message.bytes_.size() - sent);
            if (some <= 0) end(CALL_FAILED, "");
            sent += some;
        }
    }

  private:
    std::string bytes_;
};

class Reader {
  public:
    // The next message, or an end of the process with a status: 0 where the other side may have left.
    Reader(int descriptor, int status, const char *why) {
        receive(descriptor, 4, status, why);
        std::uint32_t length = number(4);
        if (length > LARGEST_MESSAGE) end(TOO_LARGE, "a value of more than 16 MiB");
        bytes_.clear();
        at_ = 0;
        receive(descriptor, length, CALL_FAILED, why);
    }
    template <class T> T take() { return Codec<T>::take(*this); }
    void done() const {
        if (at_ != bytes_.size()) wrong_value();
    }
    bool next_is(char kind) const { return at_ < bytes_.size() && bytes_[at_] == kind; }
    bool skip(char kind) { return next_is(kind) && ++at_; }
    void expect(char kind) {
        if (!skip(kind)) wrong_value();
    }
    std::uint64_t number(int bytes) {
        need(bytes);
        std::uint64_t value = 0;
        while (bytes--) value = value << 8 | static_cast<unsigned char>(bytes_[at_++]);
        return value;
    }
    std::string text(char kind) {
        expect(kind);
        std::size_t length = number(4);
        need(length);
        at_ += length;
        return bytes_.substr(at_ - length, length);
    }
    // How many items follow; each has at least one byte, so that a lie costs no memory.
    std::size_t count(char kind) {
        expect(kind);
        std::size_t length = number(4);
        need(length);
        return length;
    }
    void count(char kind, std::size_t length) {
        if (count(kind) != length) wrong_value();
    }

  private:
    void need(std::size_t length) const {
        if (length > bytes_.size() - at_) wrong_value();
    }
    void receive(int descriptor, std::size_t length, int status, const char *why) {
        char part[1 << 16];
        while (bytes_.size() < length) {
            std::size_t wanted = std::min(length - bytes_.size(), sizeof part);
            ssize_t got = read(descriptor, part, wanted);
            if (got <= 0) end(status, why);
            bytes_.append(part, got);
        }
    }
    std::string bytes_;
    std::size_t at_ = 0;
};

inline int to_program = -1;

// What stands in for the function that the tests call.
template <class Result, class... Arguments> Result call(const Arguments &...arguments) {
    Writer out;
    out.count('L', sizeof...(Arguments));
    (out.put(arguments), ...);
    out.send(to_program);
    Reader in(to_program, CALL_FAILED, "the program has ended");
    auto result = in.take<Plain<Result>>();
    in.done();
    return result;
}

// Answers calls until the tests have ended.
template <class Answer> void serve(int descriptor, std::size_t arguments, Answer answer) {
    for (;;) {
        Reader in(descriptor, 0, "");
        Writer out;
        in.count('L', arguments);
        answer(in, out);
        std::fflush(stdout);
        out.send(descriptor);
    }
}

// Puts a result as what it is where that is a number, else as what was declared.
template <class Declared, class Actual> void put_result(Writer &out, Actual &&result) {
    static_assert(std::is_convertible_v<Actual, Declared>, "the function returns another type than declared");
    if constexpr (std::is_arithmetic_v<Plain<Actual>>)
        out.put<Plain<Actual>>(result);
    else
        out.put<Plain<Declared>>(std::forward<Actual>(result));
}

} // namespace harness

#include "codecs.h"
#endif
