//! JSON, as far as a policy's configuration needs it.

use std::char;
use std::fmt::{self, Write};

use crate::abi::CODE_INVALID;
use crate::error::{Error, Result};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; it is finite.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object, in the order of the text.
    Object(Vec<(String, Value)>),
}

/// How deep lists and objects may be nested.
const MAX_DEPTH: usize = 100;

impl Value {
    /// Reads a text, which is one value. Errors: [`CODE_INVALID`], with the place.
    pub fn parse(text: &str) -> Result<Value> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0);
        reader.space();
        match value {
            Some(value) if reader.at == text.len() => Ok(value),
            _ => Err(Error::new(CODE_INVALID, format!("JSON is wrong at byte {}", reader.at))),
        }
    }

    /// The value of an object's key; of several, the last.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(entries) => entries.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The items of a list; of anything else, none.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(x) => Some(*x),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// Writes the value as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => write!(f, "{}", b),
            Value::Number(x) => write!(f, "{}", x),
            Value::Text(text) => write!(f, "{}", Quoted(text)),
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { '[' } else { ',' }, item)?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Value::Object(entries) => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{}:{}", if i == 0 { '{' } else { ',' }, Quoted(key), value)?;
                }
                f.write_str(if entries.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

/// Displays a text as a JSON string.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{}", c)?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Reads values; `None` is a fault at `at` or shortly before.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `word` if it is next.
    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// The same behind white space.
    fn token(&mut self, word: &str) -> bool {
        self.space();
        self.take(word)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if depth == MAX_DEPTH => None,
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => self.string().map(Value::Text),
            b't' if self.take("true") => Some(Value::Bool(true)),
            b'f' if self.take("false") => Some(Value::Bool(false)),
            b'n' if self.take("null") => Some(Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.token("}") {
            return Some(Value::Object(entries));
        }
        loop {
            self.space();
            let key = self.string()?;
            if !self.token(":") {
                return None;
            }
            entries.push((key, self.value(depth)?));
            if self.token("}") {
                return Some(Value::Object(entries));
            }
            if !self.token(",") {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        if self.token("]") {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.token("]") {
                return Some(Value::List(items));
            }
            if !self.token(",") {
                return None;
            }
        }
    }

    /// Checks the form, which is stricter than Rust's, and reads the number.
    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        self.take("-");
        if !self.take("0") && self.digits() == 0 {
            return None;
        }
        if self.take(".") && self.digits() == 0 {
            return None;
        }
        if self.take("e") || self.take("E") {
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() == 0 {
                return None;
            }
        }
        let x: f64 = self.text[start..self.at].parse().ok()?;
        Some(Value::Number(x)).filter(|_| x.is_finite())
    }

    fn digits(&mut self) -> usize {
        let n = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += n;
        n
    }

    fn string(&mut self) -> Option<String> {
        if !self.take("\"") {
            return None;
        }
        let mut out = String::new();
        loop {
            let c = self.text[self.at..].chars().next()?;
            if c < ' ' {
                return None;
            }
            self.at += c.len_utf8();
            match c {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                _ => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => {
                self.at -= 1; // perhaps within a character
                return None;
            }
        })
    }

    /// A character by its UTF-16 code; a lone surrogate is U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        let before = self.at;
        if (0xd800..0xdc00).contains(&high) && self.take("\\u") {
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00)));
            }
            self.at = before; // it is read for itself
        }
        Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let mut code = 0;
        for &digit in digits {
            code = code << 4 | char::from(digit).to_digit(16)?;
        }
        self.at += 4;
        Some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        match Value::parse(json) {
            Ok(Value::Text(text)) => text,
            other => panic!("{}: {:?}", json, other),
        }
    }

    #[test]
    fn reads_values() {
        let value = Value::parse(r#" {"a": [1, -2.5e+3, 0.5E-1, true, false, null], "b": {}, "a": "last"} "#).unwrap();
        assert_eq!(value.get("a"), Some(&Value::Text("last".into())));
        assert_eq!(value.get("b"), Some(&Value::Object(vec![])));
        assert_eq!(value.get("c"), None);
        let list = match &value {
            Value::Object(entries) => &entries[0].1,
            _ => panic!("{:?}", value),
        };
        let numbers: Vec<_> = list.items().iter().filter_map(Value::number).collect();
        assert_eq!(numbers, [1.0, -2500.0, 0.05]);
        assert_eq!(list.items()[3..], [Value::Bool(true), Value::Bool(false), Value::Null]);
    }

    #[test]
    fn reads_escapes() {
        assert_eq!(text(r#""\"\\\/\b\f\n\r\t""#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(text(r#""\u00e9\u4e2dé""#), "é中é");
        assert_eq!(text(r#""\ud83d\ude00""#), "😀");
        assert_eq!(text(r#""\ud83dx\ude00""#), "\u{fffd}x\u{fffd}");
        assert_eq!(text(r#""\ud83d\u0041""#), "\u{fffd}A");
        assert_eq!(text(r#""\ud83d\ud83d\ude00""#), "\u{fffd}😀");
    }

    #[test]
    fn refuses_what_is_no_json() {
        for json in [
            "",
            " ",
            "nul",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "--1",
            "1e999",
            "0x1",
            "NaN",
            "[1 2]",
            "[1,]",
            "[",
            "[1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1",
            "\"",
            "\"\\x\"",
            "\"\\é\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud83d\\u12\"",
            "\"\n\"",
            "1 1",
            "true,",
            "'a'",
        ] {
            let error = Value::parse(json).expect_err(json);
            assert_eq!(error.code, CODE_INVALID, "{}", json);
        }
    }

    #[test]
    fn refuses_bottomless_nesting() {
        let nested = |n| "[".repeat(n) + &"]".repeat(n);
        assert!(Value::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(Value::parse(&nested(MAX_DEPTH + 1)).is_err());
        assert!(Value::parse(&"[".repeat(1 << 20)).is_err());
    }

    #[test]
    fn writes_what_it_reads() {
        let json = r#"{"a":[],"b":[1,-0.5,true,null],"c\"\u0001é":{},"d":"x"}"#;
        let value = Value::parse(json).unwrap();
        assert_eq!(value.to_string(), json);
        assert_eq!(Value::parse(&value.to_string()).unwrap(), value);
    }
}
