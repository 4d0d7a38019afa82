use super::*;

fn takes(lines: &[&'static str]) -> bool {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
    }
    takes_gzip(&headers)
}

#[test]
fn gzip_is_taken_by_who_says_so() {
    let takers: [&[&str]; 11] = [
        &["gzip"],
        &["GZip"],
        &["x-gzip"],
        &["deflate, gzip;q=0.5, br"],
        &["br;q=1.0,gzip ; q=0.001"],
        &["gzip;Q=1"],
        &["br", "gzip"],
        &["*"],
        &["br, *;q=0.1"],
        &["gzip, identity"],
        &["*;q=0, gzip"],
    ];
    for lines in takers {
        assert!(takes(lines), "{lines:?}");
    }
}

#[test]
fn gzip_is_not_sent_to_others() {
    let others: [&[&str]; 12] = [
        &[],
        &[""],
        &["br"],
        &["gzip;q=0"],
        &["gzip ; q = 0.000"],
        &["gzip;q=0, *"],
        &["*;q=0"],
        &["br", "gzip;q=0"],
        &["gzip;q=much"],
        &["gzip;q=nan"],
        &["identity, gzip;q=0.5"],
        &["gzipped"],
    ];
    for lines in others {
        assert!(!takes(lines), "{lines:?}");
    }
}
