// The same by hand: one spelling of a line only, read 32 bytes at a step with AVX2, names in a table of their own bytes, and
// addresses looked up a block of lines at a time, so that what each step needs of the table is on its way before.
use crate::{DEEPER, Places, ROW_BITS, Table};
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

/// Eight groups, none left out; other spellings are for the standard library.
fn v6(text: &[u8]) -> Option<[u16; 8]> {
    let mut words = [0u16; 8];
    let (mut word, mut at) = (0, 0);
    for &byte in text {
        if byte == b':' {
            words[at] = word;
            word = 0;
            at += 1;
            if at > 7 {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        word = (word << 4) | u16::from(digit);
    }
    words[at] = word;
    (at == 7 && !text.windows(2).any(|pair| pair == b"::")).then_some(words)
}

#[derive(Clone, Copy, Default)]
struct Line {
    time: u64,
    domain: (u32, u32),
    action: (u32, u32),
    kind: Kind,
    /// Of IPv6: the first two words after the one that chooses the step.
    address: u32,
    /// Where the search begins and ends.
    from: u32,
    to: u32,
    words: [u16; 8],
    location: u32,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Other,
    Four,
    Six,
}

const BLOCK: usize = 512;

#[inline(always)]
fn fetch<T>(column: &[T], at: usize) {
    unsafe { _mm_prefetch::<_MM_HINT_T0>(column.as_ptr().wrapping_add(at).cast()) };
}

/// `data` has 64 bytes more than the record's `last`.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub unsafe fn fold(sums: &mut Sums, places: &Places, data: &[u8], last: usize) {
    let Places::Table(table) = places else { unreachable!() };
    let mut lines = [Line::default(); BLOCK];
    let mut at = 0;
    while at < last {
        let mut count = 0;
        while at < last && count < BLOCK {
            at = unsafe { read(&mut lines[count], table, data, at) };
            count += 1;
        }
        let lines = &mut lines[..count];
        locate(lines, table);
        for &Line { time, domain, action, location, .. } in lines.iter() {
            let day = (time / 86_400_000) as i32;
            let row = sums.domains.row(&data[domain.0 as usize..domain.1 as usize], day);
            row.hits += 1;
            if location != 0 && time as f64 >= row.time {
                row.time = time as f64;
                row.location = location;
            }
            sums.actions.row(&data[action.0 as usize..action.1 as usize], day).hits += 1;
            sums.located += u64::from(location != 0);
            let country = if location == 0 { 0 } else { ((location - 1) >> ROW_BITS) + 1 };
            sums.countries[country as usize] += 1;
        }
    }
}

/// Reads the line at `at`; returns where the next one begins.
#[inline(always)]
unsafe fn read(line: &mut Line, table: &Table, data: &[u8], at: usize) -> usize {
    let mut at = expect(data, at, b"{\"type\":\"hit\",\"time\":");
    let mut time = 0u64;
    while data[at].is_ascii_digit() {
        time = time * 10 + u64::from(data[at] - b'0');
        at += 1;
    }
    line.time = time;
    at = expect(data, at, b",\"address\":\"");
    let end = unsafe { quote(data, at) };
    let address = &data[at..end];
    at = expect(data, end, b"\",\"domain\":\"");
    let end = unsafe { quote(data, at) };
    line.domain = (at as u32, end as u32);
    at = expect(data, end, b"\",\"action\":\"");
    let end = unsafe { quote(data, at) };
    line.action = (at as u32, end as u32);
    at = end + 1;
    if data[at] == b',' {
        at = expect(data, at, b",\"id\":\"");
        at = unsafe { quote(data, at) } + 1;
    }
    if let Some(four) = v4(address) {
        line.kind = Kind::Four;
        line.address = four;
        fetch(&table.v4_bounds, (four >> 16) as usize);
    } else if let Some(words) = v6(address) {
        line.kind = Kind::Six;
        line.words = words;
        line.address = (u32::from(words[1]) << 16) | u32::from(words[2]);
        fetch(&table.v6_bounds, words[0] as usize);
    } else {
        line.kind = Kind::Other;
        line.location = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()).map_or(0, |address| table.find(address));
    }
    expect(data, at, b"}") + 1
}

/// The locations of a block: bounds, then searches, then values.
#[inline(always)]
fn locate(lines: &mut [Line], table: &Table) {
    for line in lines.iter_mut() {
        let (bounds, upper) = match line.kind {
            Kind::Four => (&table.v4_bounds, (line.address >> 16) as usize),
            Kind::Six => (&table.v6_bounds, line.words[0] as usize),
            Kind::Other => continue,
        };
        (line.from, line.to) = (bounds[upper], bounds[upper + 1]);
        let middle = ((line.from + line.to) / 2) as usize;
        if line.kind == Kind::Four {
            fetch(&table.v4_starts, middle);
            fetch(&table.v4_starts, (line.from as usize + middle) / 2);
            fetch(&table.v4_starts, (line.to as usize + middle) / 2);
        } else {
            fetch(&table.v6_starts, middle);
            fetch(&table.v6_starts, (line.from as usize + middle) / 2);
            fetch(&table.v6_starts, (line.to as usize + middle) / 2);
        }
    }
    for line in lines.iter_mut() {
        let (from, to) = (line.from as usize, line.to as usize);
        match line.kind {
            Kind::Four => {
                let lower = line.address as u16;
                line.from += table.v4_starts[from..to].partition_point(|&start| start <= lower) as u32 - 1;
                fetch(&table.v4_values, line.from as usize);
            }
            Kind::Six => {
                let lower = line.address;
                line.from += table.v6_starts[from..to].partition_point(|&start| start <= lower) as u32 - 1;
                fetch(&table.v6_values, line.from as usize);
            }
            Kind::Other => {}
        }
    }
    for line in lines.iter_mut() {
        match line.kind {
            Kind::Four => line.location = table.v4_values[line.from as usize],
            Kind::Six => {
                let value = table.v6_values[line.from as usize];
                // One in a few goes on with the words behind.
                line.location = if value < DEEPER { value } else { table.deeper(line.words, value, 3) };
            }
            Kind::Other => {}
        }
    }
}
