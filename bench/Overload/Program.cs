using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using FuncScaler.Benchmarks;
using FuncScaler.Contract;

// Requests that come when they are due, whether or not earlier ones were answered: an open loop. A caller that waits for the server before it
// sends the next would send less the slower the server is, and hide the waiting ("coordinated omission").
if (args.Length != 6)
{
    Console.Error.WriteLine("""
        usage: overload HOST:PORT PID RATE TIMES SECONDS EXECUTE_MS
        The load is ten times RATE requests a second for 15 s, so that the server's code is compiled, and RATE for 25 s. Then it is TIMES as much for SECONDS,
        and RATE again for 15 s. PID is the server's process.
        Prints a line for each second but the first 15: phase, due, served within 1 s, refused, served later, failed, p50 and p99 in ms, server's MB.
        """);
    return 64;
}

const double WithinMs = 1000;
const double TimeoutS = 2;
var (pid, rate, times) = (Int(1), Number(2), Number(3));
var (seconds, executeS) = (Int(4), Number(5) / 1000);
const int Compiling = 15, CompilingTimes = 10, WarmUp = 40, Recovery = 15;
const string Assign = "/serverless.simulator.Scaler/Assign", Idle = "/serverless.simulator.Scaler/Idle";
using var server = Process.GetProcessById(pid);
var connections = Enumerable.Range(0, 4).Select(_ => new LoadConnection(IPEndPoint.Parse(args[0]))).ToList();
var functions = Enumerable.Range(0, 4).Select(i => new Meta { Key = $"overload-{i}", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 }).ToArray();
var table = Enumerable.Range(0, WarmUp + seconds + Recovery).Select(_ => new Second()).ToArray();
var executing = new ConcurrentQueue<(double UntilS, LoadConnection Connection, Assignment Assignment)>();
var number = 0L;
var lost = 0;
var began = Stopwatch.GetTimestamp();
for (var second = 0; second < table.Length; second++)
{
    var perSecond = rate * (second < Compiling ? CompilingTimes : second >= WarmUp && second < WarmUp + seconds ? times : 1);
    var sent = 0;
    while (sent < (int)perSecond)
    {
        for (; sent < (int)perSecond && second + (sent / perSecond) <= Now(); sent++)
        {
            table[second].Due++;
            Send(number++, table[second], second + (sent / perSecond));
        }

        GoOn();
    }

    server.Refresh();
    table[second].ServerMb = server.WorkingSet64 >> 20;
}

while (Now() < table.Length + TimeoutS + 1)
{
    GoOn();
}

for (var second = Compiling; second < table.Length; second++)
{
    Console.WriteLine($"{(second < WarmUp ? "before" : second < WarmUp + seconds ? "during" : "after")}\t{table[second]}");
}

Console.Error.WriteLine($"releases that failed: {lost}");
connections.ForEach(c => c.Dispose());
return 0;

double Now() => Stopwatch.GetElapsedTime(began).TotalSeconds;

void GoOn()
{
    while (executing.TryPeek(out var first) && first.UntilS <= Now() && executing.TryDequeue(out first))
    {
        first.Connection.Begin(
            Idle,
            new IdleRequest { Assigment = first.Assignment, Result = new Result { StatusCode = 200, DurationInMs = (ulong)(executeS * 1000) } },
            Now(),
            10,
            answer => Interlocked.Add(ref lost, answer.Status == 0 ? 0 : 1));
    }

    connections.ForEach(c => c.Flush(Now()));
    Thread.Sleep(1);
}

void Send(long id, Second second, double dueS)
{
    var connection = connections[(int)(id % connections.Count)];
    var request = new AssignRequest { RequestId = $"{pid}-{began}-{id}", MetaData = functions[(int)(id / 7 % functions.Length)] };
    connection.Begin(Assign, request, Now(), TimeoutS, answer =>
    {
        if (answer.ReplyBytes is { } reply)
        {
            second.Served((Now() - dueS) * 1000, WithinMs);
            executing.Enqueue((Now() + executeS, connection, AssignReply.Parser.ParseFrom(reply).Assigment));
        }
        else if (answer.Status == 8)
        {
            second.Refused();
        }
        else
        {
            second.Failed();
        }
    });
}

double Number(int index) => double.Parse(args[index], CultureInfo.InvariantCulture);

int Int(int index) => int.Parse(args[index], CultureInfo.InvariantCulture);
