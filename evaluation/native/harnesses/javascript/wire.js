// Both ends of the wire between a program and its tests; the format is in the docstring of the package `native`.
// What reads checks every byte: whatever the other side sends, the process goes on with a value or ends.
'use strict';
const { readSync, writeSync } = require('fs');
const { isMap, isSet, isDate, isProxy } = require('util').types;

const LARGEST_MESSAGE = 1 << 24, DEEPEST = 200;
const CALL_FAILED = 96, WRONG_VALUE = 98, TOO_LARGE = 99;

/** @type {(status: number, why: any) => never} */
const end = (status, why) => {
  writeSync(2, `${why}\n`);
  process.reallyExit(status);
};
const wrongValue = () => end(WRONG_VALUE, 'what came is no value');

const number = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const encode = (root) => {
  const parts = [];
  let size = 0;
  const add = (...pieces) => {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece);
      size += bytes.length;
      parts.push(bytes);
    }
    if (size > LARGEST_MESSAGE) end(TOO_LARGE, 'a value of more than 16 MiB');
  };
  const text = (kind, content) => {
    const bytes = Buffer.from(content);
    add(kind, number(bytes.length), bytes);
  };
  const list = (items, depth) => {
    add('L', number(items.length));
    for (const item of items) put(item, depth + 1);
  };
  const pairs = (entries, depth) => {
    add('M', number(entries.length));
    for (const [key, value] of entries) {
      put(key, depth + 1);
      put(value, depth + 1);
    }
  };
  const object = (value, depth) => {
    if (Array.isArray(value)) list(Array.from(value), depth);
    else if (isMap(value)) text('O', 'Map'), pairs([...value], depth);
    else if (isSet(value)) text('O', 'Set'), list([...value], depth);
    else if (isDate(value)) text('O', 'Date'), put(value.getTime(), depth + 1);
    else pairs(Object.entries(value), depth);
  };
  const put = (value, depth) => {
    if (depth > DEEPEST) end(TOO_LARGE, 'a value that is too deep');
    if (value === null) add('N');
    else if (typeof value === 'boolean') add(value ? 'T' : 'F');
    else if (typeof value === 'bigint') text('I', value.toString());
    else if (typeof value === 'number') {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      add('D', bytes);
    } else if (typeof value === 'string') {
      if (value.isWellFormed()) text('S', value);
      else text('O', 'UTF-16'), text('S', Buffer.from(value, 'utf16le'));
    } else if (typeof value === 'object' && !isProxy(value)) object(value, depth);
    else text('O', value === undefined ? 'undefined' : 'other'), add('N');
  };
  put(root, 0);
  return Buffer.concat(parts, size);
};

const decode = (bytes) => {
  let at = 0;
  const take = (length) => {
    if (length > bytes.length - at) wrongValue();
    at += length;
    return bytes.subarray(at - length, at);
  };
  // How many items follow; each has at least one byte, so that a lie costs no memory.
  const count = (kind) => {
    if (take(1)[0] !== kind.charCodeAt(0)) wrongValue();
    const length = take(4).readUInt32BE();
    if (length > bytes.length - at) wrongValue();
    return length;
  };
  const text = (kind) => take(count(kind)).toString();
  const list = (depth) => Array.from({ length: count('L') }, () => value(depth + 1));
  const pairs = (depth) => Array.from({ length: count('M') }, () => [value(depth + 1), value(depth + 1)]);
  const named = (depth) => {
    const name = text('O');
    if (name === 'Map') return new Map(pairs(depth));
    if (name === 'Set') return new Set(list(depth));
    if (name === 'Date') return new Date(value(depth + 1));
    if (name === 'UTF-16') return take(count('S')).toString('utf16le');
    value(depth + 1);
    if (name === 'undefined') return undefined;
    return name === 'other' ? Symbol('a value that is not carried') : wrongValue();
  };
  const object = (entries) => {
    const made = {};
    for (const [key, item] of entries) {
      if (typeof key !== 'string') wrongValue();
      Object.defineProperty(made, key, { value: item, writable: true, enumerable: true, configurable: true });
    }
    return made;
  };
  const value = (depth) => {
    if (depth > DEEPEST || at >= bytes.length) wrongValue();
    switch (String.fromCharCode(bytes[at])) {
      case 'N': at++; return null;
      case 'T': at++; return true;
      case 'F': at++; return false;
      case 'D': at++; return take(8).readDoubleBE();
      case 'I': {
        const digits = text('I');
        return /^-?\d{1,10000}$/.test(digits) ? BigInt(digits) : wrongValue();
      }
      case 'S': return text('S');
      case 'L': return list(depth);
      case 'M': return object(pairs(depth));
      case 'O': return named(depth);
      default: return wrongValue();
    }
  };
  const whole = value(0);
  return at === bytes.length ? whole : wrongValue();
};

const read = (descriptor, length) => {
  const bytes = Buffer.alloc(length);
  for (let have = 0; have < length;) {
    const got = readSync(descriptor, bytes, have, length - have, null);
    if (got === 0) return null;
    have += got;
  }
  return bytes;
};

const send = (descriptor, value) => {
  const content = encode(value);
  const message = Buffer.concat([number(content.length), content]);
  for (let sent = 0; sent < message.length;) sent += writeSync(descriptor, message, sent);
};

// Returns a list of the value that came, or nothing where the other side has left.
const receive = (descriptor) => {
  const header = read(descriptor, 4);
  const length = header ? header.readUInt32BE() : 0;
  if (length > LARGEST_MESSAGE) end(TOO_LARGE, 'a value of more than 16 MiB');
  const content = header && read(descriptor, length);
  return content ? [decode(content)] : null;
};

module.exports = { CALL_FAILED, WRONG_VALUE, end, receive, send };
