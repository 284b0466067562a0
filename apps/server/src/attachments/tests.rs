use super::*;

#[test]
fn an_address_is_known_by_its_path_wherever_it_leads() {
    let id = "0198c0de-0000-4000-8000-000000000001";
    let ours = Some((id.to_owned(), "cat.png".to_owned()));
    for url in [
        format!("http://127.0.0.1:8000/api/files/blob/{id}/cat.png"),
        format!("https://chat.example.com/skein/api/files/blob/{id}/cat.png"),
        format!("https://old.example.com/api/files/blob/{id}/cat.png?download=1"),
        format!("https://x.example/api/files/blob/api/files/blob/{id}/cat.png"),
    ] {
        assert_eq!(place(&url), ours, "{url}");
    }
    for url in [
        format!("/api/files/blob/{id}/cat.png"),
        format!("ftp://x.example/api/files/blob/{id}/cat.png"),
        format!("https://x.example/api/files/blob/{id}"),
        format!("https://x.example/api/files/blob/{id}/a/cat.png"),
        format!("https://x.example/?u=/api/files/blob/{id}/cat.png"),
        format!("https://x.example/#/api/files/blob/{id}/cat.png"),
        format!("https://x.example/files/blob/{id}/cat.png"),
        "data:image/png;base64,AAAA".to_owned(),
        String::new(),
    ] {
        assert_eq!(place(&url), None, "{url}");
    }
}

#[test]
fn an_id_has_one_spelling() {
    let id = "0198c0de-0000-4000-8000-00000000000a";
    assert!(file_id(id).is_some());
    for other in [
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        String::new(),
    ] {
        assert_eq!(file_id(&other), None, "{other}");
    }
}

#[test]
fn the_log_has_no_address_that_opens_an_upload() {
    let id = "0198c0de-0000-4000-8000-000000000001";
    let path = format!("/api/files/blob/{id}/cat.png");
    assert_eq!(loggable(&path), "/api/files/blob/");
    for other in ["/api/files/upload", "/api/history", "/"] {
        assert_eq!(loggable(other), other);
    }
}
