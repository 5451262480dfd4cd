//! Numbers as C reads, prints and converts them, which is how HTCondor does.
//!
//! Deliberately without locale.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the conversions of this module are the language's, range checks included"
)]

/// Converts as an x86-64 processor does: what does not fit becomes the smallest integer.
pub(crate) fn real_to_int(real: f64) -> i64 {
    // 2^63 is the first that does not fit; NaN fails the comparison, too.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&real) {
        real as i64
    } else {
        i64::MIN
    }
}

/// Takes the lower 32 bits, as HTCondor does where it counts in C's `int`.
pub(crate) fn low_half(int: i64) -> i64 {
    i64::from(int as i32)
}

/// Converts with the usual loss above 2^53.
pub(crate) fn int_to_real(int: i64) -> f64 {
    int as f64
}

/// Converts as C's `float`, which is what the bounds of `stringListMin` and `stringListMax` are made of.
pub(crate) const FLOAT_MAX: f64 = f32::MAX as f64;
/// As [`FLOAT_MAX`]: the smallest positive one, by an old mistake not the most negative one.
pub(crate) const FLOAT_MIN: f64 = f32::MIN_POSITIVE as f64;

/// Reads the number that a text begins with, as C's `strtod` does; `None` where it begins with none.
pub(crate) fn leading_real(text: &str) -> Option<f64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let value = special(body).or_else(|| hexadecimal(body)).or_else(|| decimal(body))?;
    Some(if negative { -value } else { value })
}

fn special(body: &str) -> Option<f64> {
    let begins = |word: &str| body.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if begins("inf") {
        Some(f64::INFINITY)
    } else if begins("nan") {
        Some(f64::NAN)
    } else {
        None
    }
}

fn hexadecimal(body: &str) -> Option<f64> {
    let digits = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X"))?;
    let mut value = 0.0_f64;
    let mut any = false;
    let mut scale = None::<f64>;
    let mut rest = digits.chars();
    for symbol in rest.by_ref() {
        if let Some(digit) = symbol.to_digit(16) {
            any = true;
            match &mut scale {
                None => value = value * 16.0 + f64::from(digit),
                Some(scale) => {
                    *scale /= 16.0;
                    value += f64::from(digit) * *scale;
                }
            }
        } else if symbol == '.' && scale.is_none() {
            scale = Some(1.0);
        } else {
            break;
        }
    }
    any.then_some(value)
}

fn decimal(body: &str) -> Option<f64> {
    let bytes = body.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut end = whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    body[..end].parse().ok()
}

/// Prints as C's `%1.15E`, the form of new ClassAds.
pub(crate) fn scientific(real: f64) -> String {
    if let Some(text) = special_text(real) {
        return text.to_owned();
    }
    let text = format!("{real:.15E}");
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}E{}", two_digits(exponent))
}

/// Prints as C's `%.16G`, with `.0` where that looks like an integer: the form of old ClassAds.
pub(crate) fn general(real: f64) -> String {
    if real.is_infinite() {
        return format!("real(\"{}INF\")", if real < 0.0 { "-" } else { "" });
    }
    if let Some(text) = special_text(real) {
        return text.to_owned();
    }
    let mut text = percent_g(real, 16).replace('e', "E");
    if !text.contains(['.', 'E']) {
        text.push_str(".0");
    }
    text
}

/// Prints as C's `%.<precision>g`.
pub(crate) fn percent_g(real: f64, precision: usize) -> String {
    if real == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{real:.*e}", precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    match usize::try_from(exponent) {
        Err(_) if exponent >= -4 => {
            let places = precision.saturating_sub(1) + exponent.unsigned_abs() as usize;
            trim(&format!("{real:.places$}"))
        }
        Ok(whole) if whole < precision => trim(&format!("{real:.*}", precision - 1 - whole)),
        _ => format!("{}e{}", trim(mantissa), two_digits(exponent)),
    }
}

fn special_text(real: f64) -> Option<&'static str> {
    if real == 0.0 {
        Some(if real.is_sign_negative() { "-0.0" } else { "0.0" })
    } else if real.is_nan() {
        Some("real(\"NaN\")")
    } else if real == f64::INFINITY {
        Some("real(\"INF\")")
    } else if real == f64::NEG_INFINITY {
        Some("real(\"-INF\")")
    } else {
        None
    }
}

fn two_digits(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_strtod() {
        let rows: &[(&str, Option<f64>)] = &[
            ("12abc", Some(12.0)),
            (" -3.5K", Some(-3.5)),
            (".5", Some(0.5)),
            ("5e", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("0x10", Some(16.0)),
            ("0b11", Some(0.0)),
            ("infinity", Some(f64::INFINITY)),
            ("-", None),
            ("", None),
            (".", None),
        ];
        for (text, expected) in rows {
            assert_eq!(leading_real(text), *expected, "{text:?}");
        }
        assert!(leading_real("nan(x)").is_some_and(f64::is_nan));
    }

    #[test]
    fn prints_as_printf() {
        let rows: &[(f64, &str, &str)] = &[
            (1.5, "1.500000000000000E+00", "1.5"),
            (1e100, "1.000000000000000E+100", "1E+100"),
            (1e-7, "1.000000000000000E-07", "1E-07"),
            (3.0, "3.000000000000000E+00", "3.0"),
            (0.1, "1.000000000000000E-01", "0.1"),
            (123_456_789_012_345_680.0, "1.234567890123457E+17", "1.234567890123457E+17"),
            (-0.0, "-0.0", "-0.0"),
        ];
        for (real, new, old) in rows {
            assert_eq!((scientific(*real).as_str(), general(*real).as_str()), (*new, *old));
        }
    }

    #[test]
    fn converts_as_the_processor() {
        assert_eq!(real_to_int(-3.7), -3);
        assert_eq!(real_to_int(1e30), i64::MIN);
        assert_eq!(real_to_int(f64::NAN), i64::MIN);
    }
}
