//! Values as the server sends them, in binary, and values for it.
//!
//! Nothing is assumed of a column: the tables are somebody else's, and a type that nobody expected becomes a cell that
//! says so. It must not panic, whatever the bytes are.

use crate::store::rows::Cell;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, ToSql, Type};

/// A value of a statement. The statements say `$1::bigint` and `$1::text`, whatever type the column has.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(Option<String>),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }

    /// As the driver takes it.
    pub(super) fn bound(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Int(number) => number,
            Self::Text(text) => text,
        }
    }
}

/// The first cells of a row.
pub(super) fn cells<const N: usize>(row: &Row) -> [Cell; N] {
    std::array::from_fn(|index| {
        row.try_get::<_, Seen>(index).map_or(Cell::Odd("a missing column"), |seen| seen.0)
    })
}

/// A cell as the driver's own conversion.
struct Seen(Cell);

impl<'a> FromSql<'a> for Seen {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(cell(kind, raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn cell(kind: &Type, raw: &[u8]) -> Cell {
    match *kind {
        Type::INT2 => number(raw, i16::from_be_bytes),
        Type::INT4 => number(raw, i32::from_be_bytes),
        Type::INT8 => number(raw, i64::from_be_bytes),
        Type::OID => number(raw, u32::from_be_bytes),
        Type::BOOL => number(raw, u8::from_be_bytes),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN | Type::CHAR => Cell::text(raw.to_vec()),
        // The blanks at the end are the column's, not the value's: `::text` in a condition drops them, too.
        Type::BPCHAR => Cell::text(raw.trim_ascii_end().to_vec()),
        Type::NUMERIC => decimal(raw),
        Type::FLOAT4 | Type::FLOAT8 => Cell::Odd("a fraction"),
        Type::BYTEA => Cell::Odd("bytes"),
        Type::DATE | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => Cell::Odd("a date"),
        _ => match kind.kind() {
            Kind::Domain(of) => cell(of, raw),
            Kind::Enum(_) => Cell::text(raw.to_vec()),
            _ if kind.name() == "citext" => Cell::text(raw.to_vec()),
            _ => Cell::Odd("something else"),
        },
    }
}

fn number<const N: usize, T: Into<i64>>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Cell {
    raw.try_into().map_or(Cell::Odd("a damaged number"), |bytes| Cell::Int(read(bytes).into()))
}

/// A `numeric` that is a whole number. Sent are: how many digits (of base 10,000), the power of the first one, the sign,
/// how many decimals are shown, the digits.
fn decimal(raw: &[u8]) -> Cell {
    let words: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, _, digits @ ..] = words.as_slice() else {
        return Cell::Odd("a damaged number");
    };
    if usize::try_from(*count) != Ok(digits.len()) || !matches!(sign, 0 | 0x4000) {
        return Cell::Odd("no number");
    }
    let whole = usize::try_from(i32::from(*weight) + 1).unwrap_or_default();
    if digits.iter().skip(whole).any(|digit| *digit != 0) {
        return Cell::Odd("a fraction");
    }
    let mut number = Some(0_i64);
    for place in 0..whole {
        let digit = i64::from(digits.get(place).copied().unwrap_or_default());
        // Downwards, because the least number has no counterpart above zero.
        number = number.and_then(|number| number.checked_mul(10_000)?.checked_sub(digit));
    }
    let number = if *sign == 0 { number.and_then(i64::checked_neg) } else { number };
    number.map_or(Cell::Odd("a number that is too large"), Cell::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_and_texts_are_read() {
        assert_eq!(cell(&Type::INT2, &[0xff, 0xff]), Cell::Int(-1));
        assert_eq!(cell(&Type::INT4, &[0, 0, 1, 0]), Cell::Int(256));
        assert_eq!(cell(&Type::INT8, &i64::MIN.to_be_bytes()), Cell::Int(i64::MIN));
        assert_eq!(cell(&Type::BOOL, &[1]), Cell::Int(1));
        assert_eq!(cell(&Type::VARCHAR, "ș ".as_bytes()), Cell::Text("ș ".to_owned()));
        assert_eq!(cell(&Type::BPCHAR, b"web   "), Cell::Text("web".to_owned()));
    }

    #[test]
    fn a_decimal_is_a_number_as_long_as_it_is_whole() {
        let decimal = |words: &[i16]| {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            cell(&Type::NUMERIC, &raw)
        };
        assert_eq!(decimal(&[0, 0, 0, 0]), Cell::Int(0));
        assert_eq!(decimal(&[1, 0, 0, 0, 7]), Cell::Int(7));
        assert_eq!(decimal(&[1, 1, 0, 0, 3]), Cell::Int(30_000), "digits at the end are left out");
        assert_eq!(decimal(&[2, 1, 0x4000, 0, 1, 2345]), Cell::Int(-12_345));
        assert_eq!(decimal(&[1, -1, 0, 1, 5000]), Cell::Odd("a fraction"));
        assert_eq!(decimal(&[2, 0, 0, 1, 7, 5000]), Cell::Odd("a fraction"));
        let least = [5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808];
        assert_eq!(decimal(&least), Cell::Int(i64::MIN));
        let over = [5, 4, 0, 0, 922, 3372, 368, 5477, 5808];
        assert_eq!(decimal(&over), Cell::Odd("a number that is too large"));
        assert_eq!(decimal(&[1, 30_000, 0, 0, 1]), Cell::Odd("a number that is too large"));
        assert_eq!(decimal(&[0, 0, -0x4000, 0]), Cell::Odd("no number"));
        assert_eq!(decimal(&[3, 0, 0, 0, 7]), Cell::Odd("no number"));
        assert_eq!(cell(&Type::NUMERIC, &[0]), Cell::Odd("a damaged number"));
    }

    #[test]
    fn what_nobody_expected_says_what_it_is() {
        assert_eq!(cell(&Type::INT4, &[1]), Cell::Odd("a damaged number"));
        assert_eq!(cell(&Type::JSONB, b"\x01{}"), Cell::Odd("something else"));
        assert!(matches!(cell(&Type::TEXT, &[0xff]), Cell::Odd(what) if what.contains("not UTF-8")));
    }
}
