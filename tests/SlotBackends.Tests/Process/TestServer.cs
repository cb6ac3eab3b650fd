using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Process;

namespace FuncScaler.Tests.Processes;

/// <summary>A small HTTP server as a command, in node or else in Python; one of them must be installed.</summary>
internal static class TestServer
{
    private const string Node = """
        const http = require('node:http');
        if (process.env.IGNORE_TERM) process.on('SIGTERM', () => {});
        if (process.env.SPAWN) require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
        let initialised = '';
        http.createServer(async (request, response) => {
          let body = '';
          for await (const part of request) body += part;
          if (request.url === '/init') { response.statusCode = initialised ? 403 : 200; initialised ||= body; response.end('{}'); }
          else if (request.url === '/eat') { const all = []; for (let i = 0; i < 600; i++) all.push(Buffer.alloc(1 << 20, 1)); response.end('' + all.length); }
          else response.end(JSON.stringify({ env: process.env, pid: process.pid, initialised }));
        }).listen(process.env.PORT, '127.0.0.1');
        """;

    private const string Python = """
        import http.server, json, os, signal, subprocess
        if os.environ.get('IGNORE_TERM'): signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.environ.get('SPAWN'): subprocess.Popen(['sleep', '1000'])
        initialised = ''
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == '/eat': bytearray(600 << 20)
                self.answer(200, json.dumps({'env': dict(os.environ), 'pid': os.getpid(), 'initialised': initialised}))
            def do_POST(self):
                global initialised
                body = self.rfile.read(int(self.headers['Content-Length'] or 0)).decode()
                self.answer(403 if initialised else 200, '{}')
                initialised = initialised or body
            def answer(self, status, text):
                self.send_response(status); self.end_headers(); self.wfile.write(text.encode())
            def log_message(self, *arguments): pass
        http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
        """;

    public static ProcessCommand Command { get; } = new()
    {
        Command = Find("node") is { } node ? [node, "-e", Node]
            : Find("python3") is { } python ? [python, "-c", Python]
            : throw new InvalidOperationException("The tests of the process backend need node or python3 on the PATH."),
        Start = new InstanceStart { Timeout = TimeSpan.FromSeconds(30), PollDelay = TimeSpan.FromMilliseconds(10) },
    };

    public static ProcessOptions Options { get; } = new() { Functions = new Dictionary<string, ProcessCommand> { ["f"] = Command } };

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, program))
        .FirstOrDefault(File.Exists);
}
