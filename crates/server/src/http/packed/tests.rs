use super::*;

fn takes(lines: &[&'static str]) -> Option<bool> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
    }
    takes_gzip(&headers).map_err(|problem| assert_eq!(problem.code(), Code::NotAcceptable)).ok()
}

#[test]
fn gzip_is_taken_by_who_says_so() {
    let takers: [&[&str]; 12] = [
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
        &["identity;q=0, gzip;q=0.1"],
    ];
    for lines in takers {
        assert_eq!(takes(lines), Some(true), "{lines:?}");
    }
}

#[test]
fn gzip_is_not_sent_to_others() {
    let others: [&[&str]; 13] = [
        &[],
        &[""],
        &["br"],
        &["gzip;q=0"],
        &["gzip ; q = 0.000"],
        &["gzip;q=0, *"],
        &["identity, *;q=0"],
        &["*;q=0, identity;q=0.1"],
        &["br", "gzip;q=0"],
        &["gzip;q=much"],
        &["gzip;q=nan"],
        &["identity, gzip;q=0.5"],
        &["gzipped"],
    ];
    for lines in others {
        assert_eq!(takes(lines), Some(false), "{lines:?}");
    }
}

#[test]
fn who_takes_nothing_is_told_so() {
    let refusers: [&[&str]; 4] =
        [&["identity;q=0"], &["*;q=0"], &["br, identity;q=0"], &["gzip;q=0, identity;q=0, *"]];
    for lines in refusers {
        assert_eq!(takes(lines), None, "{lines:?}");
    }
}
