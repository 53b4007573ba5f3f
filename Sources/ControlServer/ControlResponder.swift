import ControlAPI
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// What is known of a request besides the request itself.
struct ControlContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { self.channel = source.channel }
}

/// Turns requests into calls of the controller, and what these return or throw into answers.
struct ControlResponder: HTTPResponder {
    var routes: RouteTable
    var policy: PeerPolicy
    var bodyLimit: Int
    var logger: Logger

    func respond(to request: Request, context: ControlContext) async throws -> Response {
        do {
            try await admit(context.channel)
            let (route, names) = try routes.route(request.method, request.uri.path)
            let query = try Query(request.uri.query, allowed: route.parameters)
            let answer = try await route.handle(
                ControlRequest(names: names, query: query, body: { try await text(of: request) }))
            return try Self.response(.ok, answer, type: "application/json")
        } catch let problem as APIProblem {
            return try refusal(problem, request)
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error(
                "control request failed",
                metadata: [
                    "method": "\(request.method.rawValue)", "path": "\(request.uri.path)", "error": "\(error)",
                ])
            return try refusal(
                APIProblem(
                    .failed, detail: "\(request.method.rawValue) \(request.uri.path): \(error)",
                    cure: "see riptided's log"),
                request)
        }
    }

    private func admit(_ channel: any Channel) async throws {
        guard let peer = try await PeerCredentials.of(channel) else {
            throw APIProblem(.forbidden, detail: "the connection does not tell its user")
        }
        guard policy.permits(peer) else {
            logger.warning(
                "control request refused: user not permitted", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
            throw APIProblem(
                .forbidden, detail: "user \(peer.uid) may not use this socket",
                cure: "run this as root, or as the daemon's user")
        }
    }

    private func text(of request: Request) async throws -> String {
        let tooLarge = APIProblem(.tooLarge, detail: "the body is larger than \(bodyLimit) bytes", cure: "send less")
        // Where the length is told, nothing of a body too large is kept.
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > bodyLimit { throw tooLarge }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: bodyLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw APIProblem(.badRequest, detail: "the body is not UTF-8", cure: "save the text as UTF-8")
        }
        return text
    }

    private func refusal(_ problem: APIProblem, _ request: Request) throws -> Response {
        var response = try Self.response(
            HTTPResponse.Status(code: problem.status), problem, type: "application/problem+json")
        if problem.isOf(.wrongMethod) {
            response.headers[.allow] = routes.methods(request.uri.path).joined(separator: ", ")
        }
        if problem.isOf(.tooLarge) {
            // The rest of the body is not worth reading.
            response.headers[.connection] = "close"
        }
        return response
    }

    private static func response(
        _ status: HTTPResponse.Status, _ answer: any Encodable, type: String
    ) throws -> Response {
        let bytes = try AnswerEncoder().encode(answer)
        return Response(
            status: status,
            headers: [.contentType: type, .contentLength: String(bytes.readableBytes), .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: bytes))
    }
}
