use super::*;

#[test]
fn what_stands_before_the_at_sign_is_never_shown() {
    for (uri, shown) in [
        ("mongodb://db:1,db:2/skein?replicaSet=rs0", "db:1,db:2"),
        ("mongodb://me:secret@db/skein", "db"),
        ("mongodb://me:sec@ret/@db:1?tls=true", "db:1"),
        (
            "mongodb+srv://me:secret@cluster.example.net",
            "cluster.example.net",
        ),
        ("me:secret@db", "db"),
    ] {
        assert_eq!(public_part(uri), shown, "{uri}");
    }
}
