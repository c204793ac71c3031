// How each type is written to the wire and read from it. Included by wire.h.
#ifndef HARNESS_CODECS_H
#define HARNESS_CODECS_H

namespace harness {

template <> struct Codec<bool> {
    static void put(Writer &out, bool value) { out.tag(value ? 'T' : 'F'); }
    static bool take(Reader &in) {
        if (!in.next_is('I')) return in.skip('T') || (in.expect('F'), false);
        std::string digits = in.text('I');
        if (digits != "0" && digits != "1") wrong_value();
        return digits == "1";
    }
};

template <class T> struct Codec<T, std::enable_if_t<std::is_integral_v<T>>> {
    static void put(Writer &out, T value) {
        char digits[24];
        out.text('I', digits, std::to_chars(digits, digits + sizeof digits, +value).ptr - digits);
    }
    static T take(Reader &in) {
        if (in.next_is('T') || in.next_is('F')) return Codec<bool>::take(in);
        if (in.next_is('D')) {
            auto value = in.take<double>();
            const auto most = static_cast<double>(std::numeric_limits<T>::max());
            const auto least = static_cast<double>(std::numeric_limits<T>::min());
            if (!(value >= least && value < most && static_cast<T>(value) == value)) wrong_value();
            return static_cast<T>(value);
        }
        std::string digits = in.text('I');
        std::conditional_t<sizeof(T) == 1, int, T> value{};
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size()) wrong_value();
        if (static_cast<T>(value) != value) wrong_value();
        return static_cast<T>(value);
    }
};

template <class T> struct Codec<T, std::enable_if_t<std::is_floating_point_v<T>>> {
    static void put(Writer &out, T number) {
        double value = number;
        std::uint64_t bits;
        __builtin_memcpy(&bits, &value, sizeof bits);
        out.tag('D');
        out.number(bits, 8);
    }
    static T take(Reader &in) {
        if (!in.next_is('D')) return static_cast<T>(in.take<long long>());
        in.expect('D');
        std::uint64_t bits = in.number(8);
        double value;
        __builtin_memcpy(&value, &bits, sizeof value);
        return static_cast<T>(value);
    }
};

template <> struct Codec<std::string> {
    static void put(Writer &out, const std::string &value) { out.text('S', value.data(), value.size()); }
    static std::string take(Reader &in) { return in.text('S'); }
};

template <> struct Codec<const char *> {
    static void put(Writer &out, const char *value) { Codec<std::string>::put(out, value); }
    static const char *take(Reader &in) {
        static std::list<std::string> kept;
        return kept.emplace_back(in.text('S')).c_str();
    }
};

template <class List> struct ListCodec {
    static void put(Writer &out, const List &values) {
        out.count('L', values.size());
        for (const auto &value : values) out.put<typename List::value_type>(value);
    }
    static List take(Reader &in) {
        List values;
        for (std::size_t left = in.count('L'); left--;)
            values.insert(values.end(), in.take<typename List::value_type>());
        return values;
    }
};
template <class T> struct Codec<std::vector<T>> : ListCodec<std::vector<T>> {};
template <class T> struct Codec<std::list<T>> : ListCodec<std::list<T>> {};
template <class T> struct Codec<std::deque<T>> : ListCodec<std::deque<T>> {};
template <class T> struct Codec<std::set<T>> : ListCodec<std::set<T>> {};
template <class T> struct Codec<std::unordered_set<T>> : ListCodec<std::unordered_set<T>> {};

template <class Map> struct MapCodec {
    static void put(Writer &out, const Map &values) {
        out.count('M', values.size());
        for (const auto &[key, value] : values) {
            out.put<typename Map::key_type>(key);
            out.put<typename Map::mapped_type>(value);
        }
    }
    static Map take(Reader &in) {
        Map values;
        for (std::size_t left = in.count('M'); left--;) {
            auto key = in.take<typename Map::key_type>();
            values.insert_or_assign(std::move(key), in.take<typename Map::mapped_type>());
        }
        return values;
    }
};
template <class K, class V> struct Codec<std::map<K, V>> : MapCodec<std::map<K, V>> {};
template <class K, class V> struct Codec<std::unordered_map<K, V>> : MapCodec<std::unordered_map<K, V>> {};

template <class T> struct Codec<std::optional<T>> {
    static void put(Writer &out, const std::optional<T> &value) {
        out.count('L', value.has_value());
        if (value) out.put<T>(*value);
    }
    static std::optional<T> take(Reader &in) {
        std::size_t length = in.count('L');
        if (length > 1) wrong_value();
        return length ? std::optional<T>(in.take<T>()) : std::nullopt;
    }
};

template <class... T> struct Codec<std::tuple<T...>> {
    static void put(Writer &out, const std::tuple<T...> &value) {
        out.count('L', sizeof...(T));
        std::apply([&](const T &...items) { (out.put<T>(items), ...); }, value);
    }
    static std::tuple<T...> take(Reader &in) {
        in.count('L', sizeof...(T));
        return std::tuple<T...>{in.take<T>()...};
    }
};

template <class A, class B> struct Codec<std::pair<A, B>> {
    static void put(Writer &out, const std::pair<A, B> &value) {
        out.count('L', 2);
        out.put<A>(value.first);
        out.put<B>(value.second);
    }
    static std::pair<A, B> take(Reader &in) {
        in.count('L', 2);
        return std::pair<A, B>{in.take<A>(), in.take<B>()};
    }
};

// What any holds that is none of the types below.
struct Other {};
template <> struct Codec<Other> {
    static void put(Writer &out, const Other &) { out.tag('N'); }
    static Other take(Reader &in) { return in.expect('N'), Other(); }
};

// A value of one of several types, with the compiler's name for it.
template <class Any, class... T> struct AnyCodec {
    static void put(Writer &out, const Any &value) {
        if (value.type() == typeid(void)) return out.tag('N');
        if (!(put_if<T>(out, value) || ...)) put_if<Other>(out, Any(Other()));
    }
    static Any take(Reader &in) {
        Any value;
        if (in.skip('N')) return value;
        static int depth = 0;
        std::string name = in.text('O');
        if (++depth > DEEPEST || !(take_if<T>(in, value, name) || ...)) wrong_value();
        depth--;
        return value;
    }

  private:
    template <class U> static bool put_if(Writer &out, const Any &value) {
        if (value.type() != typeid(U)) return false;
        using std::any_cast;
        out.text('O', typeid(U).name(), std::char_traits<char>::length(typeid(U).name()));
        out.put<U>(any_cast<U>(value));
        return true;
    }
    template <class U> static bool take_if(Reader &in, Any &value, const std::string &name) {
        return name == typeid(U).name() && (value = in.take<U>(), true);
    }
};
template <class Any>
using EachAny = AnyCodec<Any, Other, bool, char, int, unsigned, long, long long, float, double, const char *, std::string,
                         std::vector<int>, std::vector<long>, std::vector<float>, std::vector<double>,
                         std::vector<std::string>, std::vector<Any>, std::map<std::string, std::string>>;
template <> struct Codec<std::any> : EachAny<std::any> {};

// Stands in for a union that a declaration makes of several types: in a union nobody can tell which of them is there.
template <class... T> struct OneOf : std::variant<T...> {
    using std::variant<T...>::variant;
    const std::variant<T...> &held() const { return *this; }
    template <class U> bool operator==(const U &other) const {
        return std::visit([&](const auto &value) { return equal(value, other); }, held());
    }

  private:
    template <class A, class B> static bool equal(const A &value, const B &other) {
        if constexpr (std::is_arithmetic_v<A> != std::is_arithmetic_v<B>) return false;
        else if constexpr (std::is_convertible_v<const B &, A>) return value == static_cast<A>(other);
        else return false;
    }
};
template <class... T> struct Codec<OneOf<T...>> {
    static void put(Writer &out, const OneOf<T...> &value) {
        out.count('L', 2);
        out.put<int>(value.index());
        std::visit([&](const auto &held) { out.put(held); }, value.held());
    }
    static OneOf<T...> take(Reader &in) {
        in.count('L', 2);
        std::optional<OneOf<T...>> value;
        int index = in.take<int>(), at = 0;
        ((at++ == index ? void(value.emplace(in.take<T>())) : void()), ...);
        if (!value) wrong_value();
        return *value;
    }
};

} // namespace harness
#endif
