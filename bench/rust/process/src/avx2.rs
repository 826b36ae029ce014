// The same by hand: one spelling of a line only, read 32 bytes at a step with AVX2, names in a table of their own bytes.
use crate::{Places, ROW_BITS};
use std::arch::x86_64::*;

/// Names with a day, numbered: open addressing, at most half full.
pub struct Names {
    slots: Vec<(u32, u32)>,
    rows: Vec<Row>,
    bytes: Vec<u8>,
}
pub struct Row {
    at: u32,
    length: u32,
    day: i32,
    hash: u32,
    pub hits: u32,
    pub location: u32,
    pub time: f64,
}

impl Names {
    pub fn new() -> Names {
        Names { slots: vec![(0, 0); 1 << 13], rows: Vec::new(), bytes: Vec::new() }
    }

    pub fn hits(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.hits)).sum()
    }

    #[inline(always)]
    fn row(&mut self, name: &[u8], day: i32) -> &mut Row {
        let hash = hash(name, day);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (held, number) = self.slots[slot];
            if number == 0 {
                break;
            }
            if held == hash {
                let row = &self.rows[number as usize - 1];
                let own = &self.bytes[row.at as usize..(row.at + row.length) as usize];
                if row.day == day && own == name {
                    return &mut self.rows[number as usize - 1];
                }
            }
            slot = (slot + 1) & mask;
        }
        let (at, length) = (self.bytes.len() as u32, name.len() as u32);
        self.bytes.extend_from_slice(name);
        self.rows.push(Row { at, length, day, hash, hits: 0, location: 0, time: -1.0 });
        self.slots[slot] = (hash, self.rows.len() as u32);
        if self.rows.len() * 2 > self.slots.len() {
            self.widen();
        }
        self.rows.last_mut().unwrap()
    }

    fn widen(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![(0, 0); mask + 1];
        for (number, row) in self.rows.iter().enumerate() {
            let mut slot = row.hash as usize & mask;
            while self.slots[slot].1 != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = (row.hash, number as u32 + 1);
        }
    }
}

#[inline(always)]
fn hash(name: &[u8], day: i32) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |at: usize| u64::from_le_bytes(name[at..at + 8].try_into().unwrap());
    let mut hash = (name.len() as u64) ^ ((day as u64) << 32);
    if name.len() < 8 {
        for &byte in name {
            hash = (hash ^ u64::from(byte)).wrapping_mul(K);
        }
    } else {
        let last = name.len() - 8;
        let mut at = 0;
        while at < last {
            hash = (hash ^ word(at)).wrapping_mul(K);
            hash ^= hash >> 32;
            at += 8;
        }
        hash = (hash ^ word(last)).wrapping_mul(K);
    }
    (hash >> 31) as u32
}

pub struct Sums {
    pub domains: Names,
    actions: Names,
    countries: Vec<u32>,
    pub located: u64,
}

impl Sums {
    pub fn new() -> Sums {
        Sums { domains: Names::new(), actions: Names::new(), countries: vec![0; 1024], located: 0 }
    }
}

/// Where the next quote is.
#[inline(always)]
unsafe fn quote(data: &[u8], mut at: usize) -> usize {
    unsafe {
        let quotes = _mm256_set1_epi8(b'"' as i8);
        loop {
            let text = _mm256_loadu_si256(data.as_ptr().add(at).cast());
            let mask = _mm256_movemask_epi8(_mm256_cmpeq_epi8(text, quotes)) as u32;
            if mask != 0 {
                return at + mask.trailing_zeros() as usize;
            }
            at += 32;
        }
    }
}

#[inline(always)]
fn expect(data: &[u8], at: usize, text: &[u8]) -> usize {
    assert!(&data[at..at + text.len()] == text, "a line in another spelling");
    at + text.len()
}

fn v4(text: &[u8]) -> Option<u32> {
    let (mut address, mut part, mut dots) = (0u32, 0u32, 0);
    for &byte in text {
        if byte == b'.' {
            address = (address << 8) | part;
            part = 0;
            dots += 1;
        } else {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            part = part * 10 + u32::from(digit);
            if part > 255 {
                return None;
            }
        }
    }
    (dots == 3).then_some((address << 8) | part)
}

/// `data` has 64 bytes more than the record's `last`.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub unsafe fn fold(sums: &mut Sums, places: &Places, data: &[u8], last: usize) {
    let Places::Table(table) = places else { unreachable!() };
    let mut at = 0;
    while at < last {
        at = expect(data, at, b"{\"type\":\"hit\",\"time\":");
        let mut time = 0u64;
        while data[at].is_ascii_digit() {
            time = time * 10 + u64::from(data[at] - b'0');
            at += 1;
        }
        at = expect(data, at, b",\"address\":\"");
        let end = unsafe { quote(data, at) };
        let address = &data[at..end];
        at = expect(data, end, b"\",\"domain\":\"");
        let end = unsafe { quote(data, at) };
        let domain = &data[at..end];
        at = expect(data, end, b"\",\"action\":\"");
        let end = unsafe { quote(data, at) };
        let action = &data[at..end];
        at = end + 1;
        if data[at] == b',' {
            at = expect(data, at, b",\"id\":\"");
            at = unsafe { quote(data, at) } + 1;
        }
        at = expect(data, at, b"}") + 1;

        let location = match v4(address) {
            Some(address) => table.find_v4(address),
            None => std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()).map_or(0, |address| table.find(address)),
        };
        let day = (time / 86_400_000) as i32;
        let row = sums.domains.row(domain, day);
        row.hits += 1;
        if location != 0 && time as f64 >= row.time {
            row.time = time as f64;
            row.location = location;
        }
        sums.actions.row(action, day).hits += 1;
        sums.located += u64::from(location != 0);
        let country = if location == 0 { 0 } else { ((location - 1) >> ROW_BITS) + 1 };
        sums.countries[country as usize] += 1;
    }
}
