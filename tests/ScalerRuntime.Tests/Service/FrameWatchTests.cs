using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Service.Frames;
using Microsoft.AspNetCore.Connections;
using static FuncScaler.Tests.Http2Frames;

namespace FuncScaler.Tests.Runtime;

/// <summary>Frames in whatever pieces they come and are taken: the server gets those that are for it, whole and in order, and the peer an answer to each other.</summary>
public sealed class FrameWatchTests
{
    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    private static readonly byte[] Assign = Block("/serverless.simulator.Scaler/Assign");
    private static readonly byte[] Idle = Block("/serverless.simulator.Scaler/Idle");

    [Fact]
    public async Task Whatever_the_pieces_the_server_gets_what_is_for_it()
    {
        for (var seed = 1; seed <= TestLength.Count("FUNCSCALER_CASES", 300, 5_000); seed++)
        {
            try
            {
                await PlayAsync(new Random(seed)).WaitAsync(TimeSpan.FromSeconds(20));
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    /// <summary>What is handed on cannot be refused unread any more, and in an overload it is all that the process would deal with.</summary>
    [Fact]
    public async Task While_the_process_has_no_room_requests_wait_unread_and_in_an_overload_they_are_refused_unread()
    {
        var clock = new ManualTimeProvider();
        var (memory, pending) = (0L, 0L);
        using var admission = new Admission(
            new AdmissionOptions { MaxMemoryBytes = 1000 }, clock, _ => { }, () => Volatile.Read(ref memory), beats: false, () => Volatile.Read(ref pending));
        await using var peer = new Peer(new FastTimeProvider(1000), admission, _ => Volatile.Write(ref pending, Admission.MostPending + 1));

        await peer.SendAsync(Enumerable.Range(0, 1000).SelectMany(i => Frame(1, 5, (2 * i) + 1, Assign)));
        await peer.GotAsync(64 * Frame(1, 5, 1, Assign).Length);
        Volatile.Write(ref memory, 2000);
        clock.Advance(TimeSpan.FromSeconds(1));
        admission.Observe(TimeSpan.Zero);

        Assert.Equal(Enumerable.Range(64, 936).Select(i => (2 * i) + 1), await peer.EndAsync());
        Assert.Equal(64 * Frame(1, 5, 1, Assign).Length, peer.Got);
    }

    /// <summary>The clock stands still: whoever waits here for more to come, while something is there, waits for ever.</summary>
    [Fact]
    public async Task Releases_between_refused_assigns_are_handed_on_without_a_pause()
    {
        var time = new ManualTimeProvider();
        using var admission = new Admission(new AdmissionOptions { MaxMemoryBytes = 1000 }, time, _ => { }, () => 2000, beats: false);
        time.Advance(TimeSpan.FromSeconds(1));
        admission.Observe(TimeSpan.Zero);
        await using var peer = new Peer(time, admission, _ => { });

        await peer.SendAsync(Enumerable.Range(0, 100).SelectMany(i => (byte[])[.. Frame(1, 5, (4 * i) + 1, Assign), .. Frame(1, 5, (4 * i) + 3, Idle)]));

        await peer.GotAsync(100 * Frame(1, 5, 1, Idle).Length);

        // What comes later, its end too, is read after a pause.
        var end = peer.EndAsync();
        await Eventually.HoldsAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(20));
            return end.IsCompleted;
        });
        Assert.Equal(100, (await end).Count);
    }

    /// <summary>In an overload all callers reset their streams, when their deadlines pass.</summary>
    [Theory]
    [InlineData(2000, false)]
    [InlineData(0, true)]
    public async Task Resets_of_streams_that_have_waited_are_no_flood(int waitedMs, bool isFlood)
    {
        const int Each = 10_000;
        var time = new ManualTimeProvider();
        using var admission = new Admission(new AdmissionOptions(), time, _ => { }, () => 0, beats: false, () => 0);
        await using var peer = new Peer(time, admission, _ => { });
        var sent = 0;
        for (var round = 0; round < 3; round++)
        {
            var streams = Enumerable.Range(round * Each, Each).Select(i => (2 * i) + 1).ToList();
            sent += await peer.SendAsync(streams.SelectMany(stream => Frame(1, 5, stream, Idle)));
            await peer.GotAsync(sent);
            time.Advance(TimeSpan.FromMilliseconds(waitedMs));
            sent += await peer.SendAsync(streams.SelectMany(stream => Frame(3, 0, stream, [0, 0, 0, 8])));
            await peer.GotAsync(sent);
        }

        if (isFlood)
        {
            // The connection learns of its end a moment later.
            await Eventually.HoldsAsync(() => peer.IsCut);
        }

        Assert.Equal(isFlood, peer.IsCut);
    }

    private static async Task PlayAsync(Random random)
    {
        var clock = new ManualTimeProvider();
        var sheds = random.Next(4) > 0;
        var looks = 0;
        using var admission = new Admission(
            new AdmissionOptions { MaxMemoryBytes = 1000 }, clock, _ => { }, () => sheds ? 2000 : 0, beats: false, () => ++looks % 3 == 0 ? 0 : Admission.MostPending + 1);
        clock.Advance(TimeSpan.FromSeconds(1));
        admission.Observe(TimeSpan.Zero);
        var incoming = new Pipe(new PipeOptions(minimumSegmentSize: random.Next(16, 5000)));
        var outgoing = new Pipe();
        var connection = new DefaultConnectionContext("test") { Transport = new Duplex(incoming.Reader, outgoing.Writer) };
        var forServer = new MemoryStream();
        var refused = new HashSet<int>();
        var reachedServer = new MemoryStream();

        // The server begins with its settings, and takes what it has room for.
        var watch = FrameWatch.Use(
            async watched =>
            {
                await watched.Transport.Output.WriteAsync(Frame(4, 0, 0, []));
                while (true)
                {
                    var read = await watched.Transport.Input.ReadAsync();
                    var room = random.Next(2) == 0 ? read.Buffer.Length : Math.Min(read.Buffer.Length, random.Next(1, 60));
                    var taken = read.Buffer.Slice(0, room);
                    foreach (var part in taken)
                    {
                        reachedServer.Write(part.Span);
                    }

                    watched.Transport.Input.AdvanceTo(taken.End);
                    if (read.IsCompleted && taken.Length == read.Buffer.Length)
                    {
                        break;
                    }
                }
            },
            new FastTimeProvider(1000),
            () => admission)(connection);

        var answered = ReadRefusalsAsync(outgoing.Reader);
        forServer.Write(Preface);
        await SendAsync(Preface);
        await SendAsync(ForServer(Frame(4, 1, 0, [])));
        for (var stream = 1; stream < 2 * random.Next(1, 200); stream += 2)
        {
            var isRefused = sheds && random.Next(4) > 0;
            var ends = random.Next(8) == 0;
            var data = new byte[random.Next(3) == 0 ? random.Next(16_000) : random.Next(60)];
            random.NextBytes(data);
            var frames = new List<byte[]> { Frame(1, (byte)(ends ? 5 : 4), stream, isRefused ? Assign : Idle) };
            if (!ends)
            {
                var resets = random.Next(6) == 0;
                frames.Add(resets ? Frame(3, 0, stream, [0, 0, 0, 8]) : Frame(0, 1, stream, data));
                refused.UnionWith(isRefused && !resets ? [stream] : []);
            }
            else if (isRefused)
            {
                refused.Add(stream);
            }

            // What belongs to no request is the server's.
            var ping = random.Next(5) == 0 ? ForServer(Frame(6, 0, 0, new byte[8])) : [];
            await SendAsync([.. ping, .. frames.SelectMany(f => isRefused ? f : ForServer(f))]);

        }

        await incoming.Writer.CompleteAsync();
        await watch;
        await outgoing.Writer.CompleteAsync();
        Assert.Equal(forServer.ToArray(), reachedServer.ToArray());
        Assert.Equal(refused.Order(), (await answered).Order());

        byte[] ForServer(byte[] frame)
        {
            forServer.Write(frame);
            return frame;
        }

        async Task SendAsync(byte[] bytes)
        {
            for (var at = 0; at < bytes.Length;)
            {
                var some = Math.Min(bytes.Length - at, random.Next(3) == 0 ? random.Next(1, 12) : random.Next(1, 9000));
                await incoming.Writer.WriteAsync(bytes.AsMemory(at, some));
                at += some;
            }
        }
    }

    private static async Task<List<int>> ReadRefusalsAsync(PipeReader answers)
    {
        using var all = new MemoryStream();
        await answers.CopyToAsync(all);
        var bytes = all.ToArray();
        var refused = new List<int>();
        for (var at = 0; at < bytes.Length;)
        {
            var stream = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at + 5));
            if (bytes[at + 3] == 1)
            {
                refused.Add(stream);
            }

            at += 9 + (BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at)) >>> 8);
        }

        return refused;
    }

    private static byte[] Block(string path) => [0x83, 0x04, (byte)path.Length, .. Encoding.ASCII.GetBytes(path)];

    /// <summary>A client's end of a connection whose frames are watched, and a server that takes what comes.</summary>
    private sealed class Peer : IAsyncDisposable
    {
        private readonly Pipe _incoming = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly Pipe _outgoing = new();
        private readonly DefaultConnectionContext _connection;
        private readonly Task _watch;
        private readonly Task<List<int>> _refusals;
        private int _got;

        public Peer(TimeProvider time, Admission admission, Action<int> took)
        {
            _incoming.Writer.Write(Beginning);
            _connection = new DefaultConnectionContext("test") { Transport = new Duplex(_incoming.Reader, _outgoing.Writer) };
            _watch = FrameWatch.Use(connection => ServeAsync(connection.Transport, took), time, () => admission)(_connection);
            _refusals = ReadRefusalsAsync(_outgoing.Reader);
        }

        /// <summary>So many bytes reached the server behind what a connection begins with.</summary>
        public int Got => Volatile.Read(ref _got) - Beginning.Length;

        public bool IsCut => _connection.ConnectionClosed.IsCancellationRequested;

        private static byte[] Beginning { get; } = [.. Preface, .. Frame(4, 1, 0, [])];

        public async Task<int> SendAsync(IEnumerable<byte> frames)
        {
            byte[] bytes = [.. frames];
            await _incoming.Writer.WriteAsync(bytes);
            return bytes.Length;
        }

        /// <summary>Until so many bytes have reached the server, or none will any more.</summary>
        public Task GotAsync(int bytes) => Eventually.HoldsAsync(() => Got >= bytes || IsCut);

        /// <summary>Ends the connection; the streams that were refused unread.</summary>
        public async Task<List<int>> EndAsync()
        {
            await _incoming.Writer.CompleteAsync();
            await _watch;
            await _outgoing.Writer.CompleteAsync();
            return await _refusals;
        }

        public async ValueTask DisposeAsync()
        {
            await EndAsync();
            await _connection.DisposeAsync();
        }

        private async Task ServeAsync(IDuplexPipe transport, Action<int> took)
        {
            await transport.Output.WriteAsync(Frame(4, 0, 0, []));
            for (var isOver = false; !isOver;)
            {
                var read = await transport.Input.ReadAsync();
                Interlocked.Add(ref _got, (int)read.Buffer.Length);
                took(Got);
                transport.Input.AdvanceTo(read.Buffer.End);
                isOver = read.IsCompleted || IsCut;
            }
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
