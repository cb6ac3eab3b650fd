using System.Diagnostics;
using System.Globalization;
using FuncScaler.Benchmarks;
using FuncScaler.Contract;
using Grpc.Net.Client;

// Callers that assign and release an instance each, over and over, on one connection. The scaler keeps instances (ttl:300 does).
if (args is ["--empty", var port])
{
    await EmptyService.ServeAsync(int.Parse(port, CultureInfo.InvariantCulture));
    return 0;
}

if (args is ["--beside", var rounds, var slice, var atOnce, .. var ways] && ways.Length > 0)
{
    await Beside.RunAsync(
        int.Parse(rounds, CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(int.Parse(slice, CultureInfo.InvariantCulture)), int.Parse(atOnce, CultureInfo.InvariantCulture), ways);
    return 0;
}

if (args is ["--functions", var target, var number])
{
    // So many functions with an instance each, for what walks over all of them.
    using var seeded = GrpcChannel.ForAddress($"http://{target}");
    var seeding = new Scaler.ScalerClient(seeded);
    await Parallel.ForEachAsync(Enumerable.Range(0, int.Parse(number, CultureInfo.InvariantCulture)), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, token) =>
    {
        var meta = new Meta { Key = $"function-{i}", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 };
        var reply = await seeding.AssignAsync(new AssignRequest { RequestId = $"f{i}", MetaData = meta }, cancellationToken: token);
        await seeding.IdleAsync(new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200 } }, cancellationToken: token);
    });
    return 0;
}

if (args.Length is < 1 or > 4)
{
    Console.Error.WriteLine("""
        usage: warm-assign HOST:PORT [PAIRS] [CALLERS] [PID]    PAIRS in all, default 20000; CALLERS at once, default 1;
                                                                PID: the server's process, for its processor time
               warm-assign --beside ROUNDS MS CALLERS NAME=URL[,token:TOKEN][,authority:PEM][,certificate:PEM]...
                                                                several ways to scalers in slices of MS, one after the other; bench/tls.sh
               warm-assign --empty PORT                         serves the contract with nothing behind it
               warm-assign --functions HOST:PORT N              asks for N functions once
        """);
    return 64;
}

var pairs = Number(1, 20_000);
var callers = Number(2, 1);
using var server = args.Length > 3 ? Process.GetProcessById(Number(3, 0)) : null;
using var channel = GrpcChannel.ForAddress($"http://{args[0]}");
var scaler = new Scaler.ScalerClient(channel);

// The first thousands are for the compilers of both sides, and for the instances.
await RunAsync(Math.Max(5_000, callers * 20), "w", null, null);
var perCaller = pairs / callers;
var assignMs = new double[callers][];
var idleMs = new double[callers][];
server?.Refresh();
var cpu = server?.TotalProcessorTime;
var began = Stopwatch.GetTimestamp();
await RunAsync(pairs, "r", assignMs, idleMs);
var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
server?.Refresh();
var done = perCaller * callers;
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{callers} callers: {done / seconds:F0} pairs/s; {Percentiles("Assign", assignMs)}; {Percentiles("Idle", idleMs)}{(server is null ? "" : $"; server {(server.TotalProcessorTime - cpu!.Value).TotalMicroseconds / done:F1} us of CPU a pair")}"));
return 0;

int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;

Task RunAsync(int total, string prefix, double[][]? assigns, double[][]? idles) => Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
{
    var meta = new Meta { Key = "warm-assign", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 };
    var count = total / callers;
    var (assign, idle) = (new double[count], new double[count]);
    for (var i = 0; i < count; i++)
    {
        var sent = Stopwatch.GetTimestamp();
        var reply = await scaler.AssignAsync(new AssignRequest { RequestId = $"{prefix}{caller}-{i}", MetaData = meta });
        var assigned = Stopwatch.GetTimestamp();
        await scaler.IdleAsync(new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200 } });
        assign[i] = Stopwatch.GetElapsedTime(sent, assigned).TotalMilliseconds;
        idle[i] = Stopwatch.GetElapsedTime(assigned).TotalMilliseconds;
    }

    if (assigns is not null && idles is not null)
    {
        (assigns[caller], idles[caller]) = (assign, idle);
    }
}));

static string Percentiles(string name, double[][] ofCallers)
{
    double[] ms = [.. ofCallers.SelectMany(times => times).Order()];
    return string.Create(CultureInfo.InvariantCulture, $"{name} p50 {ms[ms.Length / 2]:F3} ms, p99 {ms[(int)(ms.Length * 0.99)]:F3} ms");
}
