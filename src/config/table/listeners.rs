//! Keys of the listeners.

use crate::config::keys::{Field, ListenerGroup, Section, field, key};
use crate::config::xen_api_server::read_xen_api_server;

pub(super) const TCP_HTTP: Section = Section {
    title: "HTTP over TCP",
    keys: &[
        key(
            "xend-http-server",
            "yes",
            "Whether HTTP is served over TCP.",
            field!(http.enabled: |entry| entry.yes_no()),
        )
        .listener(ListenerGroup::TcpHttp),
        key("xend-port", "8000", "The TCP port for HTTP.", field!(http.port: |entry| entry.port()))
            .listener(ListenerGroup::TcpHttp),
        key(
            "xend-address",
            "localhost",
            "The IP address for HTTP: an address of this host, localhost, or '' for all.",
            field!(http.address: |entry| entry.ip()),
        )
        .details(
            "Without (xend-http-auth users), whoever can connect from another machine controls \
             every domain without a password: think before you open it.",
        )
        .listener(ListenerGroup::TcpHttp),
        key(
            "xend-http-auth",
            "none",
            "How clients of HTTP over TCP log in: not at all (none), or with an account (users).",
            field!(http_auth: |entry| entry.auth()),
        )
        .details(
            "Passwords must not cross a network in the clear: with accounts, HTTP is served on \
             localhost, or encrypted by xend-http-key and xend-http-cert. The unix socket needs \
             no account.",
        ),
        key(
            "xend-http-key",
            "",
            "The key (PEM) that encrypts HTTP over TCP, together with the certificate.",
            field!(http_tls.key: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file. A reload reads both files again.")
        .examples(&["(xend-http-key /etc/xen/xend.key) (xend-http-cert /etc/xen/xend.crt)"]),
        key(
            "xend-http-cert",
            "",
            "The certificate (PEM) for that key.",
            field!(http_tls.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-http-key /etc/xen/xend.key) (xend-http-cert /etc/xen/xend.crt)"]),
        key(
            "xend-http-hosts",
            "",
            "More names by which clients may call this machine, in addition to its own.",
            field!(http_hosts: |entry| entry.hosts()),
        )
        .details(
            "These are the names in the URLs of clients, without a port, not the hosts that may \
             connect. localhost, any IP address, and this machine's host name, with and without \
             its domain, need not be listed. On every TCP listener but Argo and migration, a \
             request that calls this machine by another name gets a 403: web pages use such names \
             to send requests to xend through a visitor's browser (DNS rebinding).",
        )
        .examples(&["(xend-http-hosts xen.example.org vmhost)"])
        .or_default()
        .reload(),
    ],
};

pub(super) const UNIX_HTTP: Section = Section {
    title: "HTTP over a unix socket",
    keys: &[
        key(
            "xend-unix-server",
            "yes",
            "Whether HTTP is served over a unix socket.",
            field!(unix.http_enabled: |entry| entry.yes_no()),
        )
        .listener(ListenerGroup::UnixHttp),
        key(
            "xend-unix-path",
            "/var/lib/xend/xend-socket",
            "The path of the unix socket.",
            field!(unix.http_path: |entry| entry.path().map(Some)),
        )
        .computed()
        .details("This is the default for root. For other users it is in $XDG_RUNTIME_DIR/xend.")
        .listener(ListenerGroup::UnixHttp),
        key(
            "xend-unix-mode",
            "0600",
            "The permission bits of all unix sockets, in octal.",
            field!(unix.mode: |entry| entry.mode()),
        )
        .or_default(),
        key(
            "xend-unix-group",
            "",
            "The group of all unix sockets, by name or number.",
            field!(unix.group: |entry| entry.text("a group").map(Some)),
        )
        .details(
            "The group also needs the x permission on the directory of the socket, and mode \
             0660. On a host without accounts, its members control every domain; see \
             xend-users-file.",
        )
        .examples(&["(xend-unix-group xen)"])
        .or_default(),
    ],
};

pub(super) const XML_RPC: Section = Section {
    title: "XML-RPC, for xm 3.0.3 to 4.4",
    keys: &[
        key(
            "xend-unix-xmlrpc-server",
            "yes",
            "Whether XML-RPC is served on the unix socket /var/run/xend/xmlrpc.sock.",
            field!(unix.xmlrpc_enabled: |entry| entry.yes_no()),
        )
        .listener(ListenerGroup::UnixXmlRpc),
        key(
            "xend-tcp-xmlrpc-server",
            "no",
            "Whether XML-RPC is served over TCP.",
            field!(tcp_xmlrpc.enabled: |entry| entry.yes_no()),
        )
        .listener(ListenerGroup::TcpXmlRpc),
        key(
            "xend-tcp-xmlrpc-server-auth",
            "none",
            "How clients of XML-RPC over TCP log in: not at all (none), or with an account (users).",
            field!(tcp_xmlrpc_auth: |entry| entry.auth()),
        )
        .details("With none, whoever can connect from another machine controls every domain.")
        .listener(ListenerGroup::TcpXmlRpc),
        key(
            "xend-tcp-xmlrpc-server-address",
            "localhost",
            "The IP address for XML-RPC.",
            field!(tcp_xmlrpc.address: |entry| entry.ip()),
        )
        .listener(ListenerGroup::TcpXmlRpc),
        key(
            "xend-tcp-xmlrpc-server-port",
            "8006",
            "The TCP port for XML-RPC.",
            field!(tcp_xmlrpc.port: |entry| entry.port()),
        )
        .listener(ListenerGroup::TcpXmlRpc),
        key(
            "xend-tcp-xmlrpc-server-ssl-key-file",
            "",
            "The key (PEM) that encrypts XML-RPC over TCP, together with the certificate.",
            field!(tcp_xmlrpc_tls.key: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file. A reload reads both files again.")
        .examples(&["(xend-tcp-xmlrpc-server-ssl-key-file /etc/xen/xmlrpc.key)"])
        .listener(ListenerGroup::TcpXmlRpc),
        key(
            "xend-tcp-xmlrpc-server-ssl-cert-file",
            "",
            "The certificate (PEM) for that key.",
            field!(tcp_xmlrpc_tls.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-tcp-xmlrpc-server-ssl-cert-file /etc/xen/xmlrpc.crt)"])
        .listener(ListenerGroup::TcpXmlRpc),
    ],
};

pub(super) const XEN_API: Section = Section {
    title: "The Xen-API",
    keys: &[
        key(
            "xen-api-server",
            "((unix))",
            "The listeners of the Xen-API.",
            Field {
                read: |settings, entry, diagnostics| {
                    settings.xen_api_server = Some(read_xen_api_server(entry, diagnostics)?);
                    Ok(())
                },
                differs: |old, new| old.xen_api_server != new.xen_api_server,
            },
        )
        .computed()
        .details(
            "Each listener has up to five values: unix, PORT or ADDRESS:PORT; the login \
             method, which is none, pam (the default), password or users; regular expressions \
             for the hosts that may connect, separated by blanks ('' for all); key and \
             certificate (PEM) for encryption. With users, clients log in with an account of \
             xend-users-file. On the unix socket, root and the daemon's own user need no \
             password. The example serves one network over TCP, encrypted and with passwords.",
        )
        .examples(&[r"(xen-api-server ((9363 password '^10\\.0\\.' api.key api.crt) (unix)))"])
        .listener(ListenerGroup::XenApi),
        key(
            "xend-password-file",
            "/var/lib/xend/passwords",
            "The file of users and hashed passwords.",
            field!(password_file: |entry| entry.path().map(Some)),
        )
        .computed()
        .details(
            "Each line is printed by \"xend password USER\". Nobody else may read the file. \
             By default it is in the state directory.",
        ),
        key(
            "xend-access-without-password",
            "no",
            "Whether other machines may use XML-RPC without a password.",
            field!(access_without_password: |entry| entry.yes_no()),
        )
        .details("Whoever can connect then controls every domain.")
        .or_default(),
        key(
            "xend-storage-path",
            "/var/lib/xend/storage",
            "The directory of disk images that VDI.create makes.",
            field!(storage_path: |entry| entry.path().map(Some)),
        )
        .computed()
        .details("By default it is in the state directory."),
    ],
};

pub(super) const MIGRATION: Section = Section {
    title: "Migration",
    keys: &[
        key(
            "xend-relocation-server",
            "no",
            "Whether domains from other hosts are accepted.",
            field!(relocation.enabled: |entry| entry.yes_no()),
        )
        .details("Their memory crosses the network unencrypted: use a separate network for it.")
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-port",
            "8002",
            "The TCP port for migration, here and on other hosts.",
            field!(relocation.port: |entry| entry.port()),
        )
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-address",
            "''",
            "The IP address for migration: an address of this host, localhost, or '' for all.",
            field!(relocation.address: |entry| entry.ip()),
        )
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-hosts-allow",
            r"'^localhost$ ^localhost\\.localdomain$'",
            "The hosts that may connect to send domains; '' admits every host.",
            field!(relocation_hosts: |entry| entry.patterns()),
        )
        .details(
            "These are regular expressions in one pair of quotes, separated by blanks. A host may \
             connect if one of them is found anywhere in its name or address: write ^ and $ around \
             a whole one, and \\\\. for a dot, since 192.0.2.1 is found in 192.0.2.10, too. A name \
             counts if the name service has the host's address for it, too.",
        )
        .examples(&[r"(xend-relocation-hosts-allow '^xen[0-9]+\\.example\\.org$ ^192\\.0\\.2\\.')"])
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-ssl-server",
            "no",
            "Whether domains from other hosts are accepted over encrypted connections.",
            field!(relocation_ssl.enabled: |entry| entry.yes_no()),
        )
        .details("It is served on xend-relocation-address, for xend-relocation-hosts-allow.")
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-ssl-port",
            "8003",
            "The TCP port for encrypted migration, here and on other hosts.",
            field!(relocation_ssl.port: |entry| entry.port()),
        )
        .listener(ListenerGroup::Relocation)
        .reload(),
        key(
            "xend-relocation-server-ssl-key-file",
            "",
            "This host's key (PEM) for encrypted migration, in both directions.",
            field!(relocation_ssl.own.key: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file. A reload reads the three files again.")
        .examples(&["(xend-relocation-server-ssl-key-file /etc/xen/relocation.key)"])
        .listener(ListenerGroup::Relocation),
        key(
            "xend-relocation-server-ssl-cert-file",
            "",
            "This host's certificate (PEM) for that key.",
            field!(relocation_ssl.own.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-relocation-server-ssl-cert-file /etc/xen/relocation.crt)"])
        .listener(ListenerGroup::Relocation),
        key(
            "xend-relocation-ssl-ca-file",
            "",
            "The certificates (PEM) of the other hosts, or of the authorities that sign them.",
            field!(relocation_ssl.peers: |entry| entry.file().map(Some)),
        )
        .details(
            "A host without one of these certificates neither sends nor gets a domain. Hosts of one \
             fleet know each other's certificates, and need no file.",
        )
        .examples(&["(xend-relocation-ssl-ca-file /etc/xen/relocation-hosts.crt)"])
        .listener(ListenerGroup::Relocation),
        key(
            "xend-relocation-ssl",
            "no",
            "Whether domains are sent over encrypted connections unless a client says otherwise.",
            field!(relocation_ssl.by_default: |entry| entry.yes_no()),
        )
        .reload(),
    ],
};
