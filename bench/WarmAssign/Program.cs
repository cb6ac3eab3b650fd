using System.Diagnostics;
using System.Globalization;
using FuncScaler.Contract;
using FuncScaler.UnaryGrpc;

// warm-assign ADDRESS [CALLS]: one instance, assigned and released over and over by one caller; its scaler keeps it (ttl:9 does).
if (args.Length is 0 or > 2)
{
    Console.Error.WriteLine("usage: warm-assign HOST:PORT [CALLS]");
    return 64;
}

var calls = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20_000;
var assign = new UnaryMethod<AssignRequest, AssignReply>(ScalerContract.Assign);
var idle = new UnaryMethod<IdleRequest, IdleReply>(ScalerContract.Idle);
await using var channel = new HttpUnaryChannel(args[0]);
var assignUs = new List<double>(calls);
var idleUs = new List<double>(calls);

// The first thousands are for the compilers of both sides.
for (var i = -Math.Min(calls, 5_000); i < calls; i++)
{
    var began = Stopwatch.GetTimestamp();
    var reply = await channel.CallAsync(
        assign,
        new AssignRequest
        {
            RequestId = $"w{i}",
            MetaData = new Meta { Key = "warm-assign", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 },
        },
        null,
        CancellationToken.None);
    var assigned = Stopwatch.GetTimestamp();
    await channel.CallAsync(idle, new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200 } }, null, CancellationToken.None);
    if (i >= 0)
    {
        assignUs.Add(Stopwatch.GetElapsedTime(began, assigned).TotalMicroseconds);
        idleUs.Add(Stopwatch.GetElapsedTime(assigned).TotalMicroseconds);
    }
}

Print("Assign", assignUs);
Print("Idle", idleUs);
return 0;

static void Print(string name, List<double> us)
{
    us.Sort();
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{name}: {us.Count} calls, p50 {us[us.Count / 2] / 1000:F3} ms, p99 {us[(int)(us.Count * 0.99)] / 1000:F3} ms, max {us[^1] / 1000:F1} ms"));
}
