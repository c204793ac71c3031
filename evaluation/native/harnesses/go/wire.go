// Package harness holds both ends of the wire between a program and its tests; the format is in the docstring of the
// package `native`. What reads checks every byte: whatever the other side sends, the process goes on or ends.
package harness

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
)

const (
	largestMessage = 1 << 24
	deepest        = 200
	callFailed     = 96
	wrongValue     = 98
	tooLarge       = 99
	tokenBytes     = 32
)

var joint *os.File
var token [tokenBytes]byte

// Connect takes the token of the tests, and what joins them to the program.
func Connect() {
	joint = open()
	if _, err := io.ReadFull(os.Stdin, token[:]); err != nil {
		end(callFailed, "no token")
	}
}

// HandBack gives the token back, when all tests have passed.
func HandBack() {
	os.NewFile(0, "token").Write(token[:])
}

// Call stands in for the function that the tests call: it puts what the program returns where `result` points.
func Call(result interface{}, arguments ...interface{}) {
	out := &writer{}
	out.count('L', len(arguments))
	for _, argument := range arguments {
		out.dynamic(reflect.ValueOf(argument), 0)
	}
	out.send(joint)
	in := receive(joint)
	if in == nil {
		end(callFailed, "the program has ended")
	}
	place := reflect.ValueOf(result).Elem()
	value := in.dynamic(0)
	in.done()
	assign(place, value)
}

// Serve answers calls of a function until the tests have ended.
func Serve(function interface{}) {
	joint = open()
	called := reflect.ValueOf(function)
	for {
		in := receive(joint)
		if in == nil {
			return
		}
		arguments := make([]reflect.Value, in.count('L'))
		if len(arguments) != called.Type().NumIn() || called.Type().NumOut() != 1 {
			end(wrongValue, "the function takes or returns another number of values than declared")
		}
		for i := range arguments {
			arguments[i] = reflect.New(called.Type().In(i)).Elem()
			assign(arguments[i], in.dynamic(0))
		}
		in.done()
		out := &writer{}
		if called.Type().IsVariadic() {
			out.dynamic(called.CallSlice(arguments)[0], 0)
		} else {
			out.dynamic(called.Call(arguments)[0], 0)
		}
		out.send(joint)
	}
}

func open() *os.File {
	descriptor, err := strconv.Atoi(os.Getenv("HARNESS_DESCRIPTOR"))
	if err != nil {
		end(callFailed, "no descriptor")
	}
	return os.NewFile(uintptr(descriptor), "joint")
}

func end(status int, why string) {
	os.Stderr.WriteString(why + "\n")
	os.Exit(status)
}

// assign refuses what the compiler would refuse: another type, unless an interface takes it.
func assign(place reflect.Value, value reflect.Value) {
	if !value.IsValid() {
		if place.Kind() != reflect.Interface {
			end(wrongValue, "nothing in place of a value of type "+place.Type().String())
		}
	} else if value.Type().AssignableTo(place.Type()) {
		place.Set(value)
	} else {
		end(wrongValue, "a value of type "+value.Type().String()+" in place of one of type "+place.Type().String())
	}
}

type writer struct{ bytes []byte }

func (out *writer) count(kind byte, length int) {
	out.bytes = append(out.bytes, kind, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(out.bytes[len(out.bytes)-4:], uint32(length))
}

func (out *writer) text(kind byte, content string) {
	out.count(kind, len(content))
	out.bytes = append(out.bytes, content...)
}

// dynamic writes a value with the name of its type.
func (out *writer) dynamic(value reflect.Value, depth int) {
	if value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	if !value.IsValid() {
		out.bytes = append(out.bytes, 'N')
	} else if typeNamed(value.Type().String()) == value.Type() {
		out.text('O', value.Type().String())
		out.value(value, depth+1)
	} else {
		out.text('O', otherName)
		out.bytes = append(out.bytes, 'N')
	}
}

func (out *writer) value(value reflect.Value, depth int) {
	if depth > deepest || len(out.bytes) > largestMessage {
		end(tooLarge, "a value that is too deep or of more than 16 MiB")
	}
	switch kind := value.Kind(); kind {
	case reflect.Bool:
		if value.Bool() {
			out.bytes = append(out.bytes, 'T')
		} else {
			out.bytes = append(out.bytes, 'F')
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.text('I', strconv.FormatInt(value.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.text('I', strconv.FormatUint(value.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		out.bytes = append(out.bytes, 'D', 0, 0, 0, 0, 0, 0, 0, 0)
		binary.BigEndian.PutUint64(out.bytes[len(out.bytes)-8:], math.Float64bits(value.Float()))
	case reflect.String:
		out.text('S', value.String())
	case reflect.Slice, reflect.Array:
		if kind == reflect.Slice && value.IsNil() {
			out.bytes = append(out.bytes, 'N')
			return
		}
		out.count('L', value.Len())
		for i := 0; i < value.Len(); i++ {
			out.value(value.Index(i), depth+1)
		}
	case reflect.Map:
		if value.IsNil() {
			out.bytes = append(out.bytes, 'N')
			return
		}
		out.count('M', value.Len())
		for _, key := range usualOrder(value) {
			out.value(key, depth+1)
			out.value(value.MapIndex(key), depth+1)
		}
	case reflect.Interface:
		out.dynamic(value, depth)
	default:
		out.bytes = append(out.bytes, 'N')
	}
}

// usualOrder returns the keys of a map as it is walked most often, so that the program's is laid out alike: small maps are
// walked in the order in which they were filled, but begin somewhere at random.
func usualOrder(value reflect.Value) []reflect.Value {
	orders, counts := map[string][]reflect.Value{}, map[string]int{}
	usual := ""
	for i := 0; i < 64 && value.Len() <= 8; i++ {
		keys := value.MapKeys()
		text := fmt.Sprint(keys)
		orders[text] = keys
		if counts[text]++; counts[text] > counts[usual] {
			usual = text
		}
	}
	if keys, found := orders[usual]; found {
		return keys
	}
	return value.MapKeys()
}

func (out *writer) send(file *os.File) {
	if len(out.bytes) > largestMessage {
		end(tooLarge, "a value of more than 16 MiB")
	}
	message := binary.BigEndian.AppendUint32(nil, uint32(len(out.bytes)))
	if _, err := file.Write(append(message, out.bytes...)); err != nil {
		end(callFailed, "the other side has ended")
	}
}
