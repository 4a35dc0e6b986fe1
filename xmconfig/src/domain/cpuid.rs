//! CPUID masks.

use super::python_dict::PythonDict;
use super::settings::{Item, Settings};
use crate::error::Fault;
use crate::language::{Data, Value};
use xend_sxp::{Sxp, printer};

/// Registers by their names.
type Registers = PythonDict<Vec<u8>>;

/// The largest number of inputs. Xen itself has fewer leaves.
const MOST: usize = 256;

/// The value of `cpuid` or `cpuid_check`: `{'1': {'ecx': 'xx01...'}}` as Python prints it, or xl's
/// string. `None` if it is not set or empty.
pub(super) fn cpuid(settings: &Settings<'_>, name: &'static str) -> Result<Option<Sxp>, Fault> {
    let Some(value) = settings.get_true(name) else { return Ok(None) };
    let text = match &value.data {
        Data::Text(text) => text.clone(),
        Data::Dict(entries) => print(&of_dict(entries, name, value.offset)?),
        _ => print(&of_items(&settings.items(name)?)?),
    };
    Ok(Some(Sxp::atom(text).at(value.offset)))
}

/// Reads `1:ecx=x...,edx=0x01`, once for each input. An input can have a second number: `4,1`.
fn of_items(items: &[Item<'_>]) -> Result<PythonDict<Registers>, Fault> {
    let mut inputs = PythonDict::new();
    for item in items {
        let at = item.text.iter().position(|byte| *byte == b':');
        let (input, registers) = item.text.split_at(at.unwrap_or(0));
        let is_number = |word: &[u8]| {
            let digits = word.strip_prefix(b"0x").unwrap_or(word);
            !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)
        };
        if input.split(|byte| *byte == b',').count() > 2
            || !input.split(|byte| *byte == b',').all(is_number)
            || inputs.len() >= MOST
        {
            return Err(item.fault("IN:REG=BITS is expected, like 1:ecx=0x80000000"));
        }
        let mut values = Registers::new();
        for register in registers.get(1..).unwrap_or_default().split(|byte| *byte == b',') {
            let at = register.iter().position(|byte| *byte == b'=').unwrap_or(0);
            let (name, bits) = register.split_at(at);
            let bits = bits.get(1..).unwrap_or_default();
            if !matches!(name, b"eax" | b"ebx" | b"ecx" | b"edx") {
                return Err(item.fault("a register is not one of eax ebx ecx edx"));
            }
            if !bits.starts_with(b"0x") && bits.len() != 32 {
                return Err(item.fault("a register is neither a number like 0x1f nor 32 bits"));
            }
            values.insert(name, bits.to_vec());
        }
        inputs.insert(input, values);
    }
    Ok(inputs)
}

/// Reads the dictionary that xm made of the strings.
fn of_dict(
    entries: &[(Value, Value)],
    name: &str,
    offset: u32,
) -> Result<PythonDict<Registers>, Fault> {
    let mut inputs = PythonDict::new();
    for (input, registers) in entries {
        let Data::Dict(registers) = &registers.data else {
            let reason = format!("{name}: {{'1': {{'ecx': 'BITS'}}}} is expected");
            return Err(Fault::new(registers.offset, reason));
        };
        let mut values = Registers::new();
        for (register, bits) in registers.iter().take(MOST) {
            values.insert(&register.data.to_text(), bits.data.to_text());
        }
        inputs.insert(&input.data.to_text(), values);
        if inputs.len() > MOST {
            return Err(Fault::new(offset, format!("{name}: there are more than {MOST} inputs")));
        }
    }
    Ok(inputs)
}

fn print(inputs: &PythonDict<Registers>) -> Vec<u8> {
    print_dict(inputs, |out, registers| {
        out.extend(print_dict(registers, |out, bits| printer::quoted(out, bits)));
    })
}

fn print_dict<V>(dict: &PythonDict<V>, print_value: impl Fn(&mut Vec<u8>, &V)) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (n, (key, value)) in dict.iter().enumerate() {
        if n > 0 {
            out.extend_from_slice(b", ");
        }
        printer::quoted(&mut out, key);
        out.extend_from_slice(b": ");
        print_value(&mut out, value);
    }
    out.push(b'}');
    out
}
