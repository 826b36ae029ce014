// The Rust ports of supercluster: `tiles CRATE FILE BUILDS`, CRATE supercluster or supercluster-rs.
// FILE, little-endian: points, tiles (u32), longitudes, latitudes (f64), then z, x, y of each tile (u32).
// Prints {"buildMs", "buildWallMs", "tileMs"}: processor time of this thread, the median of the builds and of five passes over all tiles, one
// more before them to warm up. supercluster-rs has no tiles: it is asked for the clusters in a tile's box, 64 of 512 pixels wider.
use std::f64::consts::PI;
use supercluster::{CoordinateSystem, Supercluster};
use supercluster_rs::{SuperclusterBuilder, SuperclusterOptions};

const RADIUS: f64 = 64.0;
const EXTENT: f64 = 512.0;
const MAX_ZOOM: usize = 16;

type Tile = (u32, u32, u32);

fn thread_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let start = thread_ms();
    let result = run();
    (result, thread_ms() - start)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn lon(x: f64) -> f64 {
    (x - 0.5) * 360.0
}

fn lat(y: f64) -> f64 {
    360.0 * ((180.0 - y * 360.0) * PI / 180.0).exp().atan() / PI - 90.0
}

fn measure<Index>(builds: usize, tiles: &[Tile], build: impl Fn() -> Index, tile: impl Fn(&Index, Tile) -> usize) {
    let (mut build_ms, mut wall_ms) = (vec![], vec![]);
    let mut index = None;
    for _ in 0..builds {
        drop(index.take());
        let start = std::time::Instant::now();
        let (built, ms) = timed(&build);
        wall_ms.push(start.elapsed().as_secs_f64() * 1e3);
        index = Some(built);
        build_ms.push(ms);
    }
    let index = index.expect("at least one build");
    let mut tile_ms = vec![];
    for pass in 0..6 {
        let (items, ms) = timed(|| tiles.iter().map(|&at| tile(&index, at)).sum::<usize>());
        assert!(items > 0, "no tile had anything in it");
        if pass > 0 {
            tile_ms.push(ms / tiles.len() as f64);
        }
    }
    println!(
        "{{\"buildMs\":{},\"buildWallMs\":{},\"tileMs\":{}}}",
        median(build_ms),
        median(wall_ms),
        median(tile_ms)
    );
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&words[2]).unwrap();
    let builds: usize = words[3].parse().unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let double = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (points, count) = (word(0) as usize, word(4) as usize);
    let lons: Vec<f64> = (0..points).map(|row| double(8 + 8 * row)).collect();
    let lats: Vec<f64> = (0..points).map(|row| double(8 + 8 * (points + row))).collect();
    let tiles: Vec<Tile> = (0..count)
        .map(|row| 8 + 16 * points + 12 * row)
        .map(|at| (word(at), word(at + 4), word(at + 8)))
        .collect();

    if words[1] == "supercluster" {
        // The points are its own once they are loaded: copied before the clock runs.
        let features = Supercluster::feature_builder()
            .add_points(lons.iter().zip(&lats).map(|(&lon, &lat)| vec![lon, lat]).collect())
            .build();
        let copies = std::cell::RefCell::new(vec![features; builds]);
        let build = || {
            let options = Supercluster::builder()
                .radius(RADIUS)
                .extent(EXTENT)
                .min_points(2)
                .max_zoom(MAX_ZOOM as u8)
                .coordinate_system(CoordinateSystem::LatLng)
                .build();
            let mut index = Supercluster::new(options);
            index.load(copies.borrow_mut().pop().unwrap()).unwrap();
            index
        };
        measure(builds, &tiles, build, |index, (z, x, y)| {
            index.get_tile(z as u8, x as f64, y as f64).map_or(0, |found| found.features.len())
        });
    } else {
        let options = SuperclusterOptions::new()
            .with_radius(RADIUS)
            .with_extent(EXTENT)
            .with_max_zoom(MAX_ZOOM);
        let build = || {
            let mut builder = SuperclusterBuilder::new_with_options(points, options);
            for (&lon, &lat) in lons.iter().zip(&lats) {
                builder.add(lon, lat);
            }
            builder.finish()
        };
        measure(builds, &tiles, build, |index, (z, x, y)| {
            let side = 1.0 / f64::from(1u32 << z);
            let wider = side * RADIUS / EXTENT;
            let (west, north) = (f64::from(x) * side - wider, f64::from(y) * side - wider);
            let (east, south) = (west + side + 2.0 * wider, north + side + 2.0 * wider);
            index
                .get_clusters(
                    lon(west.max(0.0)),
                    lat(south.min(1.0)),
                    lon(east.min(1.0)).min(179.999_999),
                    lat(north.max(0.0)),
                    z as usize,
                )
                .len()
        });
    }
}
