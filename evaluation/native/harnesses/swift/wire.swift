// Both ends of the wire between a program and its tests; the format is in the docstring of the package `native`.
// What reads checks every byte: whatever the other side sends, the process goes on with a value or ends.
import Glibc

private let largestMessage = 1 << 24, tokenBytes = 32
private let callFailed: Int32 = 96, wrongValueStatus: Int32 = 98, tooLargeStatus: Int32 = 99

private func end(_ status: Int32, _ why: String) -> Never {
    fflush(stdout)
    fputs(why + "\n", stderr)
    exit(status)
}

private func wrongValue() -> Never {
    end(wrongValueStatus, "the value is not one of the declared type")
}

private func tooLarge() -> Never {
    end(tooLargeStatus, "a value that is too deep or of more than 16 MiB")
}

private func joint() -> Int32? {
    return getenv("HARNESS_DESCRIPTOR").flatMap { Int32(String(cString: $0)) }
}

private func receive(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: min(max(count, 1), 1 << 16))
    while bytes.count < count {
        let got = read(descriptor, &part, min(part.count, count - bytes.count))
        if got <= 0 { return nil }
        bytes += part[0..<got]
    }
    return bytes
}

private func send(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
        let some = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if some <= 0 { return false }
        sent += some
    }
    return true
}

public final class HarnessWriter {
    var bytes: [UInt8] = []

    public func count(_ kind: Character, _ length: Int) {
        if bytes.count > largestMessage || length > largestMessage { tooLarge() }
        bytes.append(kind.asciiValue!)
        bytes += withUnsafeBytes(of: UInt32(length).bigEndian, Array.init)
    }

    public func text(_ kind: Character, _ content: String) {
        let utf8 = Array(content.utf8)
        count(kind, utf8.count)
        bytes += utf8
    }

    fileprivate func send(_ descriptor: Int32) -> Bool {
        if bytes.count > largestMessage { tooLarge() }
        return HarnessModule.send(descriptor, withUnsafeBytes(of: UInt32(bytes.count).bigEndian, Array.init) + bytes)
    }
}

public final class HarnessReader {
    private let bytes: [UInt8]
    private var at = 0
    var depth = 0

    fileprivate init?(_ descriptor: Int32) {
        guard let header = receive(descriptor, 4) else { return nil }
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        if length > largestMessage { tooLarge() }
        guard let content = receive(descriptor, length) else { return nil }
        bytes = content
    }

    public func done() {
        if at != bytes.count { wrongValue() }
    }

    public func unknown<Value>() -> Value {
        wrongValue()
    }

    func skip(_ kind: Character) -> Bool {
        guard at < bytes.count, bytes[at] == kind.asciiValue! else { return false }
        at += 1
        return true
    }

    func take(_ length: Int) -> ArraySlice<UInt8> {
        if length > bytes.count - at { wrongValue() }
        at += length
        return bytes[(at - length)..<at]
    }

    /// How many items follow; each has at least one byte, so that a lie costs no memory.
    public func count(_ kind: Character) -> Int {
        if !skip(kind) { wrongValue() }
        let length = take(4).reduce(0) { $0 << 8 | Int($1) }
        if length > bytes.count - at { wrongValue() }
        return length
    }

    public func count(_ kind: Character, _ length: Int) {
        if count(kind) != length { wrongValue() }
    }

    public func text(_ kind: Character) -> String {
        guard let text = String(validatingUTF8: take(count(kind)).map { CChar(bitPattern: $0) } + [0]) else { wrongValue() }
        return text
    }
}

/// How values of one type are written and read.
public struct HarnessCodec<Value> {
    public let put: (Value, HarnessWriter) -> Void
    public let take: (HarnessReader) -> Value

    public init(put: @escaping (Value, HarnessWriter) -> Void, take: @escaping (HarnessReader) -> Value) {
        self.put = put
        self.take = take
    }
}

/// What the tests are joined to.
public final class HarnessTests {
    private let descriptor: Int32
    private let token: [UInt8]

    public init() {
        guard let number = joint(), let token = receive(0, tokenBytes) else {
            end(callFailed, "no token")
        }
        signal(SIGPIPE, SIG_IGN)
        descriptor = number
        self.token = token
    }

    public func call<Value>(_ result: HarnessCodec<Value>, _ arguments: [(HarnessWriter) -> Void]) -> Value {
        let out = HarnessWriter()
        out.count("L", arguments.count)
        for argument in arguments { argument(out) }
        guard out.send(descriptor), let reply = HarnessReader(descriptor) else { end(callFailed, "the program has ended") }
        let value = result.take(reply)
        reply.done()
        return value
    }

    public func handBack() {
        _ = send(0, token)
    }
}

/// Answers calls with so many arguments until the tests have ended.
public func harnessServe(_ arguments: Int, _ answer: (HarnessReader, HarnessWriter) -> Void) {
    guard let descriptor = joint() else { end(callFailed, "no descriptor") }
    while let call = HarnessReader(descriptor) {
        call.count("L", arguments)
        let out = HarnessWriter()
        answer(call, out)
        if !out.send(descriptor) { return }
    }
}
