import TestSupport

/// nginx on a host, on ports 80 and 8080 of all its addresses, with the host's name in the header X-Server. Under /files/ it
/// takes and gives files.
final class WebServer {
    private let scratch: Scratch
    private let process: BackgroundProcess

    init(_ host: Host) throws {
        scratch = try Scratch()
        let folder = scratch.files
        let file = try scratch.write(
            """
            daemon off;
            worker_processes 1;
            pid \(folder)/nginx.pid;
            error_log stderr;
            events { worker_connections 4096; }
            http {
                access_log off;
                client_body_temp_path \(folder)/body;
                proxy_temp_path \(folder)/proxy;
                fastcgi_temp_path \(folder)/fastcgi;
                uwsgi_temp_path \(folder)/uwsgi;
                scgi_temp_path \(folder)/scgi;
                add_header X-Server \(host.name);
                server {
                    listen 80;
                    listen [::]:80;
                    listen 8080;
                    listen [::]:8080;
                    client_max_body_size 0;
                    location /files/ {
                        root \(folder)/body;
                        dav_methods PUT;
                    }
                    location / { return 200 "\(host.name)\\n"; }
                }
            }

            """, to: "nginx.conf")
        // Its workers are not root.
        for name in ["", "/files"] { try Command.check(["install", "-d", "-m", "777", "\(folder)/body\(name)"]) }
        process = try BackgroundProcess(["nginx", "-p", folder, "-c", file, "-e", "stderr"], in: host.namespace)
        let process = process
        try eventually("nginx of \(host.name) listens; it said: \(process.stderr)") {
            try Command.check(["ss", "-tlnH"], in: host.namespace).contains(":80 ")
        }
    }

    deinit { try? process.kill() }

    /// Where the file is that clients know as `/files/NAME`.
    func path(of name: String) -> String { "\(scratch.files)/body/files/\(name)" }
}

/// A file to be transferred.
final class RandomFile {
    let path: String
    private let scratch: Scratch

    init(megabytes: Int) throws {
        scratch = try Scratch()
        path = "\(scratch.files)/random"
        try Command.check(["dd", "if=/dev/urandom", "of=\(path)", "bs=1M", "count=\(megabytes)", "status=none"])
    }
}

/// How requests ended.
struct RequestReport {
    /// By the server that answered them.
    var answers: [String: Int] = [:]
    var failures: [String] = []
}

extension Host {
    /// Sends requests by curl, a connection each.
    func request(_ url: String, count: Int) throws -> RequestReport {
        let result = try Command.run(
            [
                "curl", "-s", "--max-time", "10", "-H", "Connection: close", "-o", "/dev/null", "-w",
                "%{exitcode} %{http_code} %header{x-server}\\n", "\(url)?[1-\(count)]",
            ], in: namespace, timeout: .seconds(120))
        var report = RequestReport()
        for line in result.stdout.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "0", words[1] == "200" {
                report.answers[String(words[2]), default: 0] += 1
            } else {
                report.failures.append(String(line))
            }
        }
        return report
    }

    /// Sends the file by HTTP, and fetches it back; what the server has is told by `stored`. Both must be the same as the
    /// file, octet for octet.
    func transfer(_ file: String, by url: String, stored: (_ name: String) -> String) throws -> Bool {
        let scratch = try Scratch()
        let name = "transfer-\(UInt32.random(in: 0 ... .max))"
        let copy = "\(scratch.files)/copy"
        func curl(_ arguments: [String]) throws {
            try Command.check(
                ["curl", "-sS", "--fail", "--max-time", "60", "\(url)files/\(name)"] + arguments, in: namespace,
                timeout: .seconds(70))
        }
        try curl(["-T", file, "-H", "Expect:"])
        try curl(["-o", copy])
        return try [stored(name), copy].allSatisfy { try Command.run(["cmp", file, $0]).status == 0 }
    }
}
