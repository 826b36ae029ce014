// axum on one thread, doing what the other rivals do: read the body as JSON, count the hits, answer 202.
// `--stream-ms N`: wait that long before the answer, as a stream that takes the record would make it.
use axum::{Json, Router, http::StatusCode, routing::post};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Many(Vec<Hit>),
    #[allow(dead_code)]
    One(Hit),
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Hit {
    domain: String,
    action: Option<String>,
}

#[derive(Serialize)]
struct Accepted {
    accepted: usize,
}

fn processor_seconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wait: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let app = Router::new().route(
        "/v1/hits",
        post(move |body: axum::body::Bytes| async move {
            let accepted = match serde_json::from_slice(&body) {
                Ok(Body::Many(hits)) => hits.len(),
                Ok(Body::One(_)) => 1,
                Err(_) => return (StatusCode::BAD_REQUEST, Json(Accepted { accepted: 0 })),
            };
            if wait > 0 {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            (StatusCode::ACCEPTED, Json(Accepted { accepted }))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    std::io::stdout().flush().unwrap();
    // A line on standard input is answered with the processor time so far; its end ends the server.
    std::thread::spawn(|| {
        for _ in std::io::stdin().lock().lines() {
            println!("{}", processor_seconds());
            std::io::stdout().flush().unwrap();
        }
        std::process::exit(0);
    });
    axum::serve(listener, app).await.unwrap();
}
