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

    private static async Task PlayAsync(Random random)
    {
        var clock = new ManualTimeProvider();
        using var admission = new Admission(new AdmissionOptions { MaxMemoryBytes = 1000 }, clock, _ => { }, () => 2000, beats: false);
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
        for (var stream = 1; stream < 2 * random.Next(1, 60); stream += 2)
        {
            var isRefused = random.Next(4) > 0;
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

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
