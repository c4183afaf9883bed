//! Tuples: their components one after the other.

use super::{AsKey, Encode, Key, KeyError, KeyReader, KeyWriter, Prefix, SEPARATOR};

macro_rules! tuple {
    ($($key:ident / $like:ident . $index:tt),+) => {
        impl<$($key: Encode),+> Encode for ($($key,)+) {
            fn encode(&self, key: &mut KeyWriter) {
                $(self.$index.encode(key);)+
            }
        }

        impl<$($key: Key),+> Key for ($($key,)+) {
            fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                Ok(($($key::decode(parts)?,)+))
            }
        }

        impl<$($key: Key, $like: AsKey<$key>),+> AsKey<($($key,)+)> for ($($like,)+) {}
    };
}

/// What is in brackets is given; the rest of the tuple may be anything.
macro_rules! prefix {
    ([$($key:ident / $like:ident),+], $($rest:ident),+) => {
        impl<$($key: Key, $like: AsKey<$key>,)+ $($rest: Key),+> Prefix<($($key,)+ $($rest,)+)>
            for ($($like,)+)
        {
            fn encode_prefix(&self) -> String {
                components(self)
            }
        }
    };
}

/// Components that are all given, and the separator that ends the last.
pub(crate) fn components(key: &(impl Encode + ?Sized)) -> String {
    let mut writer = KeyWriter::default();
    key.encode(&mut writer);
    writer.text.push(SEPARATOR);
    writer.text
}

tuple!(A / P.0);
tuple!(A / P.0, B / Q.1);
tuple!(A / P.0, B / Q.1, C / R.2);
tuple!(A / P.0, B / Q.1, C / R.2, D / S.3);

prefix!([A / P], B);
prefix!([A / P], B, C);
prefix!([A / P, B / Q], C);
prefix!([A / P], B, C, D);
prefix!([A / P, B / Q], C, D);
prefix!([A / P, B / Q, C / R], D);
