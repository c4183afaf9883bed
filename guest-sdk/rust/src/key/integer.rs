//! Integers as text that sorts as numbers.

use super::{AsKey, Encode, Key, KeyError, KeyReader, KeyWriter};

const N_LETTERS: u8 = 52;

/// The digits, after a letter that says how many they are. Below zero all is
/// turned round, so that what is further from zero sorts first.
fn write(text: &mut String, is_negative: bool, magnitude: u128) {
    let digits = magnitude.to_string();
    // A `u128` has at most 39 digits, which leaves letters on both sides.
    let n_digits = u8::try_from(digits.len()).unwrap_or(N_LETTERS);
    if is_negative {
        text.push('-');
        text.push(letter(N_LETTERS - n_digits));
        text.extend(digits.bytes().map(|digit| char::from(b'9' - (digit - b'0'))));
    } else {
        text.push(letter(n_digits - 1));
        text.push_str(&digits);
    }
}

/// `A` to `Z`, then `a` to `z`: the order of their bytes.
fn letter(index: u8) -> char {
    char::from(if index < 26 { b'A' + index } else { b'a' + index - 26 })
}

/// Whether it is negative, and its distance from zero.
fn read(part: &str) -> Result<(bool, u128), KeyError> {
    let is_negative = part.starts_with('-');
    let digits: String = if is_negative {
        let complements = part.bytes().skip(2);
        complements
            .map(|digit| char::from(b'9'.saturating_sub(digit).saturating_add(b'0')))
            .collect()
    } else {
        part.chars().skip(1).collect()
    };
    let error = KeyError("not an integer");
    let magnitude = digits.parse().ok().ok_or(error)?;
    // Anything the encoder would not write, such as leading zeros.
    let mut canonical = String::with_capacity(part.len());
    write(&mut canonical, is_negative, magnitude);
    let is_minus_zero = is_negative && magnitude == 0;
    if canonical == part && !is_minus_zero { Ok((is_negative, magnitude)) } else { Err(error) }
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Encode for $type {
            fn encode(&self, key: &mut KeyWriter) {
                write(key.next_part(), false, Into::into(*self));
            }
        }

        impl Key for $type {
            fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                match read(parts.next_part()?)? {
                    (false, magnitude) => Self::try_from(magnitude).ok().ok_or(OUT_OF_RANGE),
                    (true, _) => Err(OUT_OF_RANGE),
                }
            }
        }

        impl AsKey<Self> for $type {}
    )*};
}

macro_rules! signed {
    ($($type:ty),*) => {$(
        impl Encode for $type {
            fn encode(&self, key: &mut KeyWriter) {
                write(key.next_part(), *self < 0, Into::into(self.unsigned_abs()));
            }
        }

        impl Key for $type {
            fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                let (is_negative, magnitude) = read(parts.next_part()?)?;
                // By way of zero, since the lowest value has no opposite.
                let value = if is_negative {
                    0_i128.checked_sub_unsigned(magnitude)
                } else {
                    0_i128.checked_add_unsigned(magnitude)
                };
                value.and_then(|value| Self::try_from(value).ok()).ok_or(OUT_OF_RANGE)
            }
        }

        impl AsKey<Self> for $type {}
    )*};
}

const OUT_OF_RANGE: KeyError = KeyError("an integer outside the type's range");

unsigned!(u8, u16, u32, u64, u128);
signed!(i8, i16, i32, i64, i128);
