// The process stage as the usual Rust stack would have it: base64-simd, sonic-rs, hash maps, and the address looked up in our
// own table (`sonic`) or in the City databases by maxminddb (`sonicMaxmind`); and as one would write it by hand for these very
// lines (`avx2`, avx2.rs), over our own table.
//   process WHICH FOLDER EVENTS ROUNDS [MMDB4 MMDB6]
// FOLDER holds the events as Lambda gets them (0.json …) and our table's columns (v4Bounds.bin …).
// What it leaves out: the rules of a host name and of lengths, late and future hits, hits with an id apart (they are counted
// at once), the newest location's tie rule, the encoding of the sums and the commit protocol; avx2 also any other spelling, escapes
// and the days of the countries.
// Prints {"best", "hits", "located"}: hits a second of this process' processor time, the event's own JSON left aside.
mod avx2;
use ahash::AHashMap;
use serde::Deserialize;
use std::net::{IpAddr, Ipv6Addr};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}
#[derive(Deserialize)]
struct Record {
    kinesis: Kinesis,
}
#[derive(Deserialize)]
struct Kinesis {
    data: String,
}
#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: f64,
    address: &'a str,
    domain: &'a str,
    action: &'a str,
    #[allow(dead_code)]
    id: Option<&'a str>,
}
#[derive(Deserialize)]
struct City<'a> {
    latitude: Option<f32>,
    longitude: Option<f32>,
    country_code: Option<&'a str>,
}

const DAY_MS: f64 = 86_400_000.0;
const DEEPER: u32 = 0x8000_0000;
const ROW_BITS: u32 = 22;

struct Table {
    v4_bounds: Vec<u32>,
    v4_starts: Vec<u16>,
    v4_values: Vec<u32>,
    v6_bounds: Vec<u32>,
    v6_starts: Vec<u32>,
    v6_values: Vec<u32>,
}

fn words32(folder: &str, name: &str) -> Vec<u32> {
    let bytes = std::fs::read(format!("{folder}/{name}.bin")).unwrap();
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

impl Table {
    fn open(folder: &str) -> Table {
        let starts = std::fs::read(format!("{folder}/v4Starts.bin")).unwrap();
        Table {
            v4_bounds: words32(folder, "v4Bounds"),
            v4_starts: starts.chunks_exact(2).map(|word| u16::from_le_bytes(word.try_into().unwrap())).collect(),
            v4_values: words32(folder, "v4Values"),
            v6_bounds: words32(folder, "v6Bounds"),
            v6_starts: words32(folder, "v6Starts"),
            v6_values: words32(folder, "v6Values"),
        }
    }

    /// The number of a location, 0: none.
    fn find(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(four) => self.find_v4(u32::from(four)),
            IpAddr::V6(six) => six.to_ipv4_mapped().map_or_else(|| self.find_v6(six), |four| self.find_v4(u32::from(four))),
        }
    }

    fn find_v4(&self, address: u32) -> u32 {
        let upper = (address >> 16) as usize;
        let (from, to) = (self.v4_bounds[upper] as usize, self.v4_bounds[upper + 1] as usize);
        let lower = address as u16;
        self.v4_values[from + self.v4_starts[from..to].partition_point(|&start| start <= lower) - 1]
    }

    fn find_v6(&self, address: Ipv6Addr) -> u32 {
        let words = address.segments();
        self.deeper(words, DEEPER + u32::from(words[0]), 1)
    }

    /// The value of a step, where `word` is the first of the two that it compares.
    fn deeper(&self, words: [u16; 8], mut value: u32, mut word: usize) -> u32 {
        while value >= DEEPER {
            let step = (value - DEEPER) as usize;
            let next = if word < 7 { words[word + 1] } else { 0 };
            let bits = (u32::from(words[word]) << 16) | u32::from(next);
            let (from, to) = (self.v6_bounds[step] as usize, self.v6_bounds[step + 1] as usize);
            value = self.v6_values[from + self.v6_starts[from..to].partition_point(|&start| start <= bits) - 1];
            word += 2;
        }
        value
    }
}

enum Places {
    Table(Table),
    Maxmind(maxminddb::Reader<Vec<u8>>, maxminddb::Reader<Vec<u8>>),
}

#[derive(Default)]
struct Domain {
    hits: u32,
    time: f64,
    location: u64,
}

#[derive(Default)]
struct Sums {
    domains: AHashMap<(i32, Box<str>), Domain>,
    actions: AHashMap<(i32, Box<str>), u32>,
    countries: AHashMap<(i32, u32), u32>,
    hits: u64,
    located: u64,
}

impl Places {
    /// Country and location, each 0 when unknown.
    fn find(&self, text: &str) -> (u32, u64) {
        let Ok(address) = text.parse::<IpAddr>() else { return (0, 0) };
        match self {
            Places::Table(table) => match table.find(address) {
                0 => (0, 0),
                value => (((value - 1) >> ROW_BITS) + 1, u64::from(value)),
            },
            Places::Maxmind(four, six) => {
                let reader = if address.is_ipv4() { four } else { six };
                let Ok(city) = reader.lookup::<City>(address) else { return (0, 0) };
                let country = city.country_code.map_or(0, |code| {
                    let code = code.as_bytes();
                    (u32::from(code[0]) << 8) | u32::from(code[1])
                });
                let degrees = |value: Option<f32>| (value.unwrap_or(f32::NAN) * 10_000.0).round() as i32 as u32;
                (country, (u64::from(degrees(city.latitude)) << 32) | u64::from(degrees(city.longitude)) | 1)
            }
        }
    }
}

fn fold(sums: &mut Sums, places: &Places, data: &[u8]) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
        let line = &data[start..end];
        start = end + 1;
        if line.is_empty() {
            continue;
        }
        let hit: Hit = sonic_rs::from_slice(line).unwrap();
        assert!(hit.kind == "hit");
        let day = (hit.time / DAY_MS) as i32;
        let (country, location) = places.find(hit.address);
        sums.hits += 1;
        sums.located += u64::from(location != 0);
        *sums.countries.entry((day, country)).or_default() += 1;
        // A box for a name is made only when it is new in this batch's maps: look first.
        let key = (day, Box::<str>::from(hit.action));
        *sums.actions.entry(key).or_default() += 1;
        let domain = sums.domains.entry((day, Box::from(hit.domain))).or_default();
        domain.hits += 1;
        if location != 0 && hit.time >= domain.time {
            domain.time = hit.time;
            domain.location = location;
        }
    }
}

fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (which, folder) = (&words[1], &words[2]);
    let events: usize = words[3].parse().unwrap();
    let rounds: usize = words[4].parse().unwrap();
    let places = if which != "sonicMaxmind" {
        Places::Table(Table::open(folder))
    } else {
        let open = |file: &str| maxminddb::Reader::from_source(std::fs::read(file).unwrap()).unwrap();
        Places::Maxmind(open(&words[5]), open(&words[6]))
    };
    let events: Vec<Event> = (0..events)
        .map(|index| serde_json::from_slice(&std::fs::read(format!("{folder}/{index}.json")).unwrap()).unwrap())
        .collect();
    let mut best = 0.0f64;
    let (mut hits, mut located) = (0, 0);
    for round in 0..rounds + 1 {
        (hits, located) = (0, 0);
        let start = processor_seconds();
        for event in &events {
            if which == "avx2" {
                let mut sums = avx2::Sums::new();
                let mut lines = 0;
                for record in &event.records {
                    let mut data = base64_simd::STANDARD.decode_to_vec(&record.kinesis.data).unwrap();
                    let last = data.len();
                    data.resize(last + 64, 0);
                    lines += 1000;
                    unsafe { avx2::fold(&mut sums, &places, &data, last) };
                }
                assert!(sums.domains.hits() == lines);
                hits += lines;
                located += sums.located;
                continue;
            }
            let mut sums = Sums::default();
            for record in &event.records {
                let data = base64_simd::STANDARD.decode_to_vec(&record.kinesis.data).unwrap();
                fold(&mut sums, &places, &data);
            }
            assert!(sums.domains.values().map(|domain| u64::from(domain.hits)).sum::<u64>() == sums.hits);
            hits += sums.hits;
            located += sums.located;
        }
        if round > 0 {
            best = best.max(hits as f64 / (processor_seconds() - start));
        }
    }
    println!("{{\"best\":{best},\"hits\":{hits},\"located\":{located}}}");
}
