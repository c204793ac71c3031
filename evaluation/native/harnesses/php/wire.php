<?php
// Both ends of the wire between a program and its tests; the format is in the docstring of the package `native`.
// What reads checks every byte: whatever the other side sends, the process goes on with a value or ends.

final class HarnessWire
{
    private const LARGEST_MESSAGE = 1 << 24;
    private const DEEPEST = 200;
    private const CALL_FAILED = 96;
    private const WRONG_VALUE = 98;
    private const TOO_LARGE = 99;

    /** @var resource */
    private $joint;
    private string $bytes = '';
    private int $at = 0;

    public function __construct()
    {
        $this->joint = fopen('php://fd/' . getenv('HARNESS_DESCRIPTOR'), 'r+');
    }

    /** Sends a call and returns its result. */
    public function call(array $arguments): mixed
    {
        $this->send($arguments);
        if (!$this->receive()) {
            self::end(self::CALL_FAILED, 'the program has ended');
        }
        return $this->whole();
    }

    /** Returns the arguments of the next call, or null when the tests have ended. */
    public function next(): ?array
    {
        return $this->receive() ? $this->whole() : null;
    }

    public function send(mixed $value): void
    {
        $content = self::encode($value, 0);
        if (strlen($content) > self::LARGEST_MESSAGE) {
            self::end(self::TOO_LARGE, 'a value of more than 16 MiB');
        }
        for ($rest = pack('N', strlen($content)) . $content; $rest !== ''; $rest = substr($rest, $sent)) {
            $sent = @fwrite($this->joint, $rest);
            if (!$sent) {
                self::end(self::CALL_FAILED, 'the other side has ended');
            }
        }
    }

    private function receive(): bool
    {
        $header = $this->read(4);
        $length = strlen($header) === 4 ? unpack('N', $header)[1] : 0;
        if ($length > self::LARGEST_MESSAGE) {
            self::end(self::TOO_LARGE, 'a value of more than 16 MiB');
        }
        $this->bytes = $this->read($length);
        $this->at = 0;
        return strlen($header) === 4 && strlen($this->bytes) === $length;
    }

    private function read(int $length): string
    {
        $content = '';
        while (strlen($content) < $length) {
            $some = fread($this->joint, $length - strlen($content));
            if ($some === false || $some === '') {
                break;
            }
            $content .= $some;
        }
        return $content;
    }

    private static function end(int $status, string $why): never
    {
        fwrite(STDERR, "$why\n");
        exit($status);
    }

    private static function wrongValue(): never
    {
        self::end(self::WRONG_VALUE, 'what came is no value');
    }

    private static function encode(mixed $value, int $depth): string
    {
        if ($depth > self::DEEPEST) {
            self::end(self::TOO_LARGE, 'a value that is too deep');
        }
        if (is_array($value)) {
            $isList = array_is_list($value);
            $parts = [($isList ? 'L' : 'M') . pack('N', count($value))];
            foreach ($value as $key => $item) {
                $parts[] = ($isList ? '' : self::encode($key, $depth)) . self::encode($item, $depth + 1);
            }
            return implode('', $parts);
        }
        return match (true) {
            $value === null => 'N',
            is_bool($value) => $value ? 'T' : 'F',
            is_int($value) => self::text('I', (string) $value),
            is_float($value) => 'D' . pack('E', $value),
            is_string($value) => self::text('S', $value),
            default => self::text('O', 'object') . 'N',
        };
    }

    private static function text(string $kind, string $content): string
    {
        return $kind . pack('N', strlen($content)) . $content;
    }

    private function whole(): mixed
    {
        $value = $this->decode(0);
        return $this->at === strlen($this->bytes) ? $value : self::wrongValue();
    }

    private function take(int $length): string
    {
        if ($length > strlen($this->bytes) - $this->at) {
            self::wrongValue();
        }
        $this->at += $length;
        return substr($this->bytes, $this->at - $length, $length);
    }

    /** Returns how many items follow; each has at least one byte, so that a lie costs no memory. */
    private function count(): int
    {
        $length = unpack('N', $this->take(4))[1];
        return $length <= strlen($this->bytes) - $this->at ? $length : self::wrongValue();
    }

    private function decode(int $depth): mixed
    {
        if ($depth > self::DEEPEST) {
            self::wrongValue();
        }
        return match ($this->take(1)) {
            'N' => null,
            'T' => true,
            'F' => false,
            'I' => $this->integer($this->take($this->count())),
            'D' => unpack('E', $this->take(8))[1],
            'S' => $this->take($this->count()),
            'L' => $this->items($this->count(), false, $depth + 1),
            'M' => $this->items($this->count(), true, $depth + 1),
            'O' => $this->stranger($this->take($this->count()), $depth + 1),
            default => self::wrongValue(),
        };
    }

    private function integer(string $digits): int
    {
        return (string) (int) $digits === $digits ? (int) $digits : self::wrongValue();
    }

    private function items(int $count, bool $hasKeys, int $depth): array
    {
        $items = [];
        while ($count-- > 0) {
            if ($hasKeys) {
                $key = $this->decode($depth);
                if (!is_int($key) && !is_string($key)) {
                    self::wrongValue();
                }
                $items[$key] = $this->decode($depth);
            } else {
                $items[] = $this->decode($depth);
            }
        }
        return $items;
    }

    /** What arrives in place of an object; identical to nothing. */
    private function stranger(string $name, int $depth): object
    {
        $this->decode($depth);
        return $name === 'object' ? new stdClass() : self::wrongValue();
    }
}
