package harness

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
)

const largestArray = 1 << 16

// Other is what arrives in place of a value of a type that is not carried, such as a struct.
type Other struct{}

const otherName = "harness.Other"

var basicTypes = map[string]reflect.Type{otherName: reflect.TypeOf(Other{})}

func init() {
	for _, value := range []interface{}{
		false, 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0),
		float32(0), float64(0), "", struct{}{},
	} {
		basicTypes[reflect.TypeOf(value).String()] = reflect.TypeOf(value)
	}
	basicTypes["interface {}"] = reflect.TypeOf((*interface{})(nil)).Elem()
}

// typeNamed returns the type of a name such as `map[string][]int`, or nothing.
func typeNamed(name string) reflect.Type {
	found, rest := readType(name, 0)
	if rest != "" {
		return nil
	}
	return found
}

func readType(name string, depth int) (reflect.Type, string) {
	if depth > deepest {
		return nil, name
	}
	if strings.HasPrefix(name, "map[") {
		key, rest := readType(name[4:], depth+1)
		if key == nil || !strings.HasPrefix(rest, "]") || !key.Comparable() {
			return nil, name
		}
		element, rest := readType(rest[1:], depth+1)
		if element == nil {
			return nil, name
		}
		return reflect.MapOf(key, element), rest
	}
	if strings.HasPrefix(name, "[") {
		length, after, closed := strings.Cut(name[1:], "]")
		element, rest := readType(after, depth+1)
		if !closed || element == nil {
			return nil, name
		}
		if length == "" {
			return reflect.SliceOf(element), rest
		}
		count, err := strconv.Atoi(length)
		if err != nil || count < 0 || count > largestArray || uintptr(count)*element.Size() > largestMessage {
			return nil, name
		}
		return reflect.ArrayOf(count, element), rest
	}
	for known, found := range basicTypes {
		if strings.HasPrefix(name, known) && (len(name) == len(known) || name[len(known)] == ']') {
			return found, name[len(known):]
		}
	}
	return nil, name
}

// reader takes values out of one message.
type reader struct {
	bytes []byte
	at    int
}

// receive returns the next message, or nothing where the other side has left.
func receive(file *os.File) *reader {
	var header [4]byte
	if _, err := io.ReadFull(file, header[:]); err != nil {
		return nil
	}
	length := binary.BigEndian.Uint32(header[:])
	if length > largestMessage {
		end(tooLarge, "a value of more than 16 MiB")
	}
	content, err := io.ReadAll(io.LimitReader(file, int64(length)))
	if err != nil || len(content) < int(length) {
		return nil
	}
	return &reader{bytes: content}
}

func (in *reader) refuse() {
	end(wrongValue, "the value is not one of the declared type")
}

func (in *reader) done() {
	if in.at != len(in.bytes) {
		in.refuse()
	}
}

func (in *reader) skip(kind byte) bool {
	if in.at < len(in.bytes) && in.bytes[in.at] == kind {
		in.at++
		return true
	}
	return false
}

func (in *reader) take(length int) []byte {
	if length > len(in.bytes)-in.at {
		in.refuse()
	}
	in.at += length
	return in.bytes[in.at-length : in.at]
}

// count returns how many items follow; each has at least one byte, so that a lie costs no memory.
func (in *reader) count(kind byte) int {
	if !in.skip(kind) {
		in.refuse()
	}
	length := binary.BigEndian.Uint32(in.take(4))
	if uint64(length) > uint64(len(in.bytes)-in.at) {
		in.refuse()
	}
	return int(length)
}

func (in *reader) text(kind byte) string {
	return string(in.take(in.count(kind)))
}

// dynamic returns a value of the type that is named before it, or nothing for nil.
func (in *reader) dynamic(depth int) reflect.Value {
	if in.skip('N') {
		return reflect.Value{}
	}
	found := typeNamed(in.text('O'))
	if found == nil || depth > deepest {
		in.refuse()
	}
	place := reflect.New(found).Elem()
	in.value(place, depth+1)
	return place
}

func (in *reader) value(place reflect.Value, depth int) {
	switch place.Kind() {
	case reflect.Bool:
		place.SetBool(in.skip('T') || !in.expect('F'))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, err := strconv.ParseInt(in.text('I'), 10, place.Type().Bits())
		in.check(err)
		place.SetInt(number)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		number, err := strconv.ParseUint(in.text('I'), 10, place.Type().Bits())
		in.check(err)
		place.SetUint(number)
	case reflect.Float32, reflect.Float64:
		in.expect('D')
		place.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(in.take(8))))
	case reflect.String:
		place.SetString(in.text('S'))
	case reflect.Slice:
		if in.skip('N') {
			return
		}
		place.Set(reflect.MakeSlice(place.Type(), 0, 0))
		for left := in.count('L'); left > 0; left-- {
			item := reflect.New(place.Type().Elem()).Elem()
			in.value(item, depth+1)
			place.Set(reflect.Append(place, item))
		}
	case reflect.Array:
		if in.count('L') != place.Len() {
			in.refuse()
		}
		for i := 0; i < place.Len(); i++ {
			in.value(place.Index(i), depth+1)
		}
	case reflect.Map:
		if in.skip('N') {
			return
		}
		place.Set(reflect.MakeMap(place.Type()))
		for left := in.count('M'); left > 0; left-- {
			key, item := reflect.New(place.Type().Key()).Elem(), reflect.New(place.Type().Elem()).Elem()
			in.value(key, depth+1)
			in.value(item, depth+1)
			if key.Kind() == reflect.Interface && !key.IsNil() && !key.Elem().Type().Comparable() {
				in.refuse()
			}
			place.SetMapIndex(key, item)
		}
	case reflect.Interface:
		if value := in.dynamic(depth); value.IsValid() {
			place.Set(value)
		}
	default:
		in.expect('N')
	}
}

func (in *reader) expect(kind byte) bool {
	if !in.skip(kind) {
		in.refuse()
	}
	return true
}

func (in *reader) check(err error) {
	if err != nil {
		in.refuse()
	}
}
