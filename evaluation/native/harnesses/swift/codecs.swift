// How each type is written to the wire and read from it; what a declaration says of types is put together from these.

public enum HarnessWire {
    public static func int<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> HarnessCodec<Number> {
        HarnessCodec(
            put: { $1.text("I", String($0)) },
            take: { input in Number(input.text("I")) ?? input.unknown() })
    }

    public static func float<Number: BinaryFloatingPoint>(_: Number.Type = Number.self) -> HarnessCodec<Number> {
        HarnessCodec(
            put: { value, out in out.double(Double(value)) },
            take: { Number($0.double()) })
    }

    public static let bool = HarnessCodec<Bool>(put: { $1.bool($0) }, take: { $0.bool() })

    public static let string = HarnessCodec<String>(put: { $1.text("S", $0) }, take: { $0.text("S") })

    public static let character = HarnessCodec<Character>(
        put: { $1.text("S", String($0)) },
        take: { input in
            let text = input.text("S")
            return text.count == 1 ? text.first! : input.unknown()
        })

    public static func list<Item>(_ item: HarnessCodec<Item>) -> HarnessCodec<[Item]> {
        HarnessCodec(
            put: { values, out in
                out.count("L", values.count)
                for value in values { item.put(value, out) }
            },
            take: { input in
                var values: [Item] = []
                for _ in 0..<input.count("L") { values.append(item.take(input)) }
                return values
            })
    }

    public static func set<Item: Hashable>(_ item: HarnessCodec<Item>) -> HarnessCodec<Set<Item>> {
        let items = list(item)
        return HarnessCodec(put: { items.put(Array($0), $1) }, take: { Set(items.take($0)) })
    }

    public static func optional<Item>(_ item: HarnessCodec<Item>) -> HarnessCodec<Item?> {
        HarnessCodec(
            put: { value, out in
                out.count("L", value == nil ? 0 : 1)
                if let value = value { item.put(value, out) }
            },
            take: { input in
                let length = input.count("L")
                return length == 0 ? nil : length == 1 ? item.take(input) : input.unknown()
            })
    }

    public static func map<Key: Hashable, Item>(
        _ key: HarnessCodec<Key>, _ item: HarnessCodec<Item>
    ) -> HarnessCodec<[Key: Item]> {
        HarnessCodec(
            put: { values, out in
                out.count("M", values.count)
                for (name, value) in values {
                    key.put(name, out)
                    item.put(value, out)
                }
            },
            take: { input in
                var values: [Key: Item] = [:]
                for _ in 0..<input.count("M") {
                    let name = key.take(input)
                    values[name] = item.take(input)
                }
                return values
            })
    }

    public static func tuple<A, B>(_ a: HarnessCodec<A>, _ b: HarnessCodec<B>) -> HarnessCodec<(A, B)> {
        HarnessCodec(
            put: { value, out in
                out.count("L", 2)
                a.put(value.0, out)
                b.put(value.1, out)
            },
            take: { input in
                input.count("L", 2)
                let first = a.take(input)
                return (first, b.take(input))
            })
    }

    public static func tuple<A, B, C>(
        _ a: HarnessCodec<A>, _ b: HarnessCodec<B>, _ c: HarnessCodec<C>
    ) -> HarnessCodec<(A, B, C)> {
        HarnessCodec(
            put: { value, out in
                out.count("L", 3)
                a.put(value.0, out)
                b.put(value.1, out)
                c.put(value.2, out)
            },
            take: { input in
                input.count("L", 3)
                let first = a.take(input), second = b.take(input)
                return (first, second, c.take(input))
            })
    }

    public static func result<A, B: Error>(_ a: HarnessCodec<A>, _ b: HarnessCodec<B>) -> HarnessCodec<Result<A, B>> {
        HarnessCodec(
            put: { value, out in
                switch value {
                case .success(let held):
                    out.text("O", "success")
                    a.put(held, out)
                case .failure(let held):
                    out.text("O", "failure")
                    b.put(held, out)
                }
            },
            take: { input in
                switch input.text("O") {
                case "success": return .success(a.take(input))
                case "failure": return .failure(b.take(input))
                default: return input.unknown()
                }
            })
    }

    /// A value of one of several types, with the type's name.
    public static let any: HarnessCodec<AnyHashable> = HarnessCodec(
        put: { value, out in
            switch value.base {
            case let held as Int: named("Int", int(), held, out)
            case let held as Double: named("Double", float(), held, out)
            case let held as Bool: named("Bool", bool, held, out)
            case let held as String: named("String", string, held, out)
            case let held as Character: named("Character", character, held, out)
            case let held as [AnyHashable]: named("Array", list(any), held, out)
            case let held as [AnyHashable: AnyHashable]: named("Dictionary", map(any, any), held, out)
            default: named("Other", bool, false, out)
            }
        },
        take: { input in
            input.deeper {
                switch input.text("O") {
                case "Int": return AnyHashable(int(Int.self).take(input))
                case "Double": return AnyHashable(float(Double.self).take(input))
                case "Bool": return AnyHashable(bool.take(input))
                case "String": return AnyHashable(string.take(input))
                case "Character": return AnyHashable(character.take(input))
                case "Array": return AnyHashable(list(any).take(input))
                case "Dictionary": return AnyHashable(map(any, any).take(input))
                case "Other": return AnyHashable(Other(isThis: bool.take(input)))
                default: return input.unknown()
                }
            }
        })

    private struct Other: Hashable {
        let isThis: Bool
    }

    private static func named<Item>(_ name: String, _ codec: HarnessCodec<Item>, _ item: Item, _ out: HarnessWriter) {
        out.text("O", name)
        codec.put(item, out)
    }
}

extension HarnessWriter {
    func bool(_ value: Bool) {
        bytes.append(Character(value ? "T" : "F").asciiValue!)
    }

    func double(_ value: Double) {
        bytes.append(Character("D").asciiValue!)
        bytes += withUnsafeBytes(of: value.bitPattern.bigEndian, Array.init)
    }
}

extension HarnessReader {
    func bool() -> Bool {
        if skip("T") { return true }
        return skip("F") ? false : unknown()
    }

    func double() -> Double {
        if !skip("D") { return unknown() }
        return Double(bitPattern: take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    func deeper<Value>(_ take: () -> Value) -> Value {
        depth += 1
        if depth > 200 { return unknown() }
        defer { depth -= 1 }
        return take()
    }
}
