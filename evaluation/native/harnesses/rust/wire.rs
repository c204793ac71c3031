//! Both ends of the wire between a program and its tests; the format is in the docstring of the package `native`.
//! What reads checks every byte: whatever the other side sends, the process goes on with a value or ends.

use std::any::{type_name, Any};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, Hash};
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;
use std::process::exit;
use std::sync::atomic::{AtomicI32, Ordering};

const LARGEST_MESSAGE: usize = 1 << 24;
const DEEPEST: usize = 200;
const CALL_FAILED: i32 = 96;
const WRONG_VALUE: i32 = 98;
const TOO_LARGE: i32 = 99;

static TO_PROGRAM: AtomicI32 = AtomicI32::new(-1);

fn end(status: i32, why: &str) -> ! {
    eprintln!("{}", why);
    exit(status)
}

fn wrong_value() -> ! {
    end(WRONG_VALUE, "the value is not one of the declared type")
}

fn too_large() -> ! {
    end(TOO_LARGE, "a value of more than 16 MiB")
}

fn channel(descriptor: i32) -> ManuallyDrop<File> {
    ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) })
}

fn send(descriptor: i32, content: &[u8]) {
    if content.len() > LARGEST_MESSAGE {
        too_large();
    }
    let mut message = (content.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(content);
    if channel(descriptor).write_all(&message).is_err() {
        exit(CALL_FAILED);
    }
}

/// Returns the next message, or nothing where the other side has left.
fn receive(descriptor: i32) -> Option<Reader> {
    let mut length = [0; 4];
    channel(descriptor).read_exact(&mut length).ok()?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LARGEST_MESSAGE {
        too_large();
    }
    let mut bytes = Vec::new();
    (&*channel(descriptor)).take(length as u64).read_to_end(&mut bytes).ok()?;
    if bytes.len() < length {
        return None;
    }
    Some(Reader { bytes, at: 0, depth: 0 })
}

/// Tells where the program is, before the first call.
pub fn connect(descriptor: i32) {
    TO_PROGRAM.store(descriptor, Ordering::SeqCst);
}

/// Calls the program: what stands in for the function that the tests call.
pub fn call<T: Take>(arguments: &[&dyn Put]) -> T {
    let descriptor = TO_PROGRAM.load(Ordering::SeqCst);
    let mut out = Writer::default();
    out.count(b'L', arguments.len());
    for argument in arguments {
        argument.put(&mut out);
    }
    send(descriptor, &out.bytes);
    let mut input = receive(descriptor).unwrap_or_else(|| end(CALL_FAILED, "the program has ended"));
    let value = T::take(&mut input);
    input.done();
    value
}

/// Answers calls with so many arguments until the tests have ended.
pub fn serve(descriptor: i32, arguments: usize, answer: impl Fn(&mut Reader, &mut Writer)) -> i32 {
    while let Some(mut input) = receive(descriptor) {
        if input.count(b'L') != arguments {
            wrong_value();
        }
        let mut out = Writer::default();
        answer(&mut input, &mut out);
        send(descriptor, &out.bytes);
    }
    0
}

#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn count(&mut self, kind: u8, length: usize) {
        if length > LARGEST_MESSAGE {
            too_large();
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&(length as u32).to_be_bytes());
    }
    pub fn text(&mut self, kind: u8, content: &str) {
        self.count(kind, content.len());
        self.bytes.extend_from_slice(content.as_bytes());
    }
}

pub struct Reader {
    bytes: Vec<u8>,
    at: usize,
    depth: usize,
}

impl Reader {
    pub fn done(&self) {
        if self.at != self.bytes.len() {
            wrong_value();
        }
    }
    fn skip(&mut self, kind: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&kind);
        self.at += found as usize;
        found
    }
    fn bytes(&mut self, length: usize) -> &[u8] {
        if length > self.bytes.len() - self.at {
            wrong_value();
        }
        self.at += length;
        &self.bytes[self.at - length..self.at]
    }
    /// Returns how many items follow; each has at least one byte, so that a lie costs no memory.
    pub fn count(&mut self, kind: u8) -> usize {
        if !self.skip(kind) {
            wrong_value();
        }
        let mut length = [0; 4];
        length.copy_from_slice(self.bytes(4));
        let length = u32::from_be_bytes(length) as usize;
        if length > self.bytes.len() - self.at {
            wrong_value();
        }
        length
    }
    pub fn text(&mut self, kind: u8) -> String {
        let length = self.count(kind);
        String::from_utf8(self.bytes(length).to_vec()).unwrap_or_else(|_| wrong_value())
    }
    pub fn deeper<T>(&mut self, take: impl FnOnce(&mut Reader) -> T) -> T {
        self.depth += 1;
        if self.depth > DEEPEST {
            wrong_value();
        }
        let value = take(self);
        self.depth -= 1;
        value
    }
    pub fn unknown<T>(&self) -> T {
        wrong_value()
    }
}

pub trait Put {
    fn put(&self, out: &mut Writer);
}

pub trait Take: Sized {
    fn take(input: &mut Reader) -> Self;
}

macro_rules! integers {
    ($($name:ty)*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Writer) {
                out.text(b'I', &self.to_string());
            }
        }
        impl Take for $name {
            fn take(input: &mut Reader) -> Self {
                input.text(b'I').parse().unwrap_or_else(|_| wrong_value())
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! floats {
    ($($name:ty)*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Writer) {
                out.bytes.push(b'D');
                out.bytes.extend_from_slice(&(*self as f64).to_be_bytes());
            }
        }
        impl Take for $name {
            fn take(input: &mut Reader) -> Self {
                if !input.skip(b'D') {
                    wrong_value();
                }
                let mut value = [0; 8];
                value.copy_from_slice(input.bytes(8));
                f64::from_be_bytes(value) as $name
            }
        }
    )*};
}
floats!(f32 f64);

impl Put for bool {
    fn put(&self, out: &mut Writer) {
        out.bytes.push(if *self { b'T' } else { b'F' });
    }
}
impl Take for bool {
    fn take(input: &mut Reader) -> Self {
        input.skip(b'T') || (!input.skip(b'F') && wrong_value())
    }
}
impl Put for () {
    fn put(&self, out: &mut Writer) {
        out.bytes.push(b'N');
    }
}
impl Take for () {
    fn take(input: &mut Reader) -> Self {
        if !input.skip(b'N') {
            wrong_value();
        }
    }
}
impl Put for str {
    fn put(&self, out: &mut Writer) {
        out.text(b'S', self);
    }
}
impl Put for String {
    fn put(&self, out: &mut Writer) {
        out.text(b'S', self);
    }
}
impl Take for String {
    fn take(input: &mut Reader) -> Self {
        input.text(b'S')
    }
}
impl<'a> Take for &'a str {
    fn take(input: &mut Reader) -> Self {
        Box::leak(input.text(b'S').into_boxed_str())
    }
}
impl Put for char {
    fn put(&self, out: &mut Writer) {
        out.text(b'S', &self.to_string());
    }
}
impl Take for char {
    fn take(input: &mut Reader) -> Self {
        input.text(b'S').parse().unwrap_or_else(|_| wrong_value())
    }
}
impl<'a> Put for Cow<'a, str> {
    fn put(&self, out: &mut Writer) {
        out.text(b'S', self);
    }
}
impl<'a> Take for Cow<'a, str> {
    fn take(input: &mut Reader) -> Self {
        Cow::Owned(input.text(b'S'))
    }
}
impl<'a, T: Put + ?Sized> Put for &'a T {
    fn put(&self, out: &mut Writer) {
        (**self).put(out);
    }
}
impl<T: Put + ?Sized> Put for Box<T> {
    fn put(&self, out: &mut Writer) {
        (**self).put(out);
    }
}
impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Writer) {
        out.count(b'L', self.iter().count());
        self.iter().for_each(|item| item.put(out));
    }
}
impl<T: Take> Take for Option<T> {
    fn take(input: &mut Reader) -> Self {
        match input.count(b'L') {
            0 => None,
            1 => Some(T::take(input)),
            _ => wrong_value(),
        }
    }
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Writer) {
        out.count(b'L', self.len());
        self.iter().for_each(|item| item.put(out));
    }
}
impl<T: Put, const N: usize> Put for [T; N] {
    fn put(&self, out: &mut Writer) {
        self[..].put(out);
    }
}
impl<T: Take, const N: usize> Take for [T; N] {
    fn take(input: &mut Reader) -> Self {
        Vec::take(input).try_into().unwrap_or_else(|_| wrong_value())
    }
}

macro_rules! lists {
    ($($name:ident ($($bound:path),*);)*) => {$(
        impl<T: Put> Put for $name<T> {
            fn put(&self, out: &mut Writer) {
                out.count(b'L', self.len());
                self.iter().for_each(|item| item.put(out));
            }
        }
        impl<T: Take $(+ $bound)*> Take for $name<T> {
            fn take(input: &mut Reader) -> Self {
                (0..input.count(b'L')).map(|_| T::take(input)).collect()
            }
        }
    )*};
}
lists! { Vec(); VecDeque(); BTreeSet(Ord); }

impl<T: Put, S> Put for HashSet<T, S> {
    fn put(&self, out: &mut Writer) {
        out.count(b'L', self.len());
        self.iter().for_each(|item| item.put(out));
    }
}
impl<T: Take + Eq + Hash, S: BuildHasher + Default> Take for HashSet<T, S> {
    fn take(input: &mut Reader) -> Self {
        (0..input.count(b'L')).map(|_| T::take(input)).collect()
    }
}

fn put_pairs<'a, K: Put + 'a, V: Put + 'a>(pairs: impl ExactSizeIterator<Item = (&'a K, &'a V)>, out: &mut Writer) {
    out.count(b'M', pairs.len());
    for (key, value) in pairs {
        key.put(out);
        value.put(out);
    }
}
fn take_pairs<K: Take, V: Take, M: FromIterator<(K, V)>>(input: &mut Reader) -> M {
    (0..input.count(b'M')).map(|_| (K::take(input), V::take(input))).collect()
}
impl<K: Put, V: Put, S> Put for HashMap<K, V, S> {
    fn put(&self, out: &mut Writer) {
        put_pairs(self.iter(), out);
    }
}
impl<K: Take + Eq + Hash, V: Take, S: BuildHasher + Default> Take for HashMap<K, V, S> {
    fn take(input: &mut Reader) -> Self {
        take_pairs(input)
    }
}
impl<K: Put, V: Put> Put for BTreeMap<K, V> {
    fn put(&self, out: &mut Writer) {
        put_pairs(self.iter(), out);
    }
}
impl<K: Take + Ord, V: Take> Take for BTreeMap<K, V> {
    fn take(input: &mut Reader) -> Self {
        take_pairs(input)
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        #[allow(non_snake_case)]
        impl<$($name: Put),*> Put for ($($name,)*) {
            fn put(&self, out: &mut Writer) {
                out.count(b'L', $count);
                let ($($name,)*) = self;
                $($name.put(out);)*
            }
        }
        impl<$($name: Take),*> Take for ($($name,)*) {
            fn take(input: &mut Reader) -> Self {
                if input.count(b'L') != $count {
                    wrong_value();
                }
                ($($name::take(input),)*)
            }
        }
    )*};
}
tuples! { 1: A; 2: A B; 3: A B C; 4: A B C D; 5: A B C D E; }

/// What a value of any type is that none of the types below is.
#[derive(Debug)]
struct Other;
impl Put for Other {
    fn put(&self, out: &mut Writer) {
        ().put(out);
    }
}
impl Take for Other {
    fn take(input: &mut Reader) -> Self {
        <()>::take(input);
        Other
    }
}

macro_rules! any {
    ($($name:ty;)*) => {
        impl Put for dyn Any {
            fn put(&self, out: &mut Writer) {
                $(if let Some(value) = self.downcast_ref::<$name>() {
                    out.text(b'O', type_name::<$name>());
                    return value.put(out);
                })*
                (&Other as &dyn Any).put(out);
            }
        }
        impl Take for Box<dyn Any> {
            fn take(input: &mut Reader) -> Self {
                let name = input.text(b'O');
                $(if name == type_name::<$name>() {
                    return Box::new(input.deeper(<$name as Take>::take));
                })*
                wrong_value()
            }
        }
    };
}
any! {
    Other; (); bool; char; i8; i16; i32; i64; i128; isize; u8; u16; u32; u64; u128; usize; f32; f64;
    String; &'static str; Vec<Box<dyn Any>>; Vec<i32>; Vec<i64>; Vec<f64>; Vec<String>; Vec<&'static str>;
    Option<i32>; HashMap<String, String>; HashMap<i32, i32>;
}
