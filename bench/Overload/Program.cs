using System.Diagnostics;
using System.Globalization;
using FuncScaler.Benchmarks;
using FuncScaler.Contract;
using Grpc.Core;
using Grpc.Net.Client;

// Requests that come when they are due, whether or not earlier ones were answered: an open loop. A caller that waits for the server before it
// sends the next would send less the slower the server is, and hide the waiting ("coordinated omission").
if (args.Length != 6)
{
    Console.Error.WriteLine("""
        usage: overload HOST:PORT PID RATE TIMES SECONDS EXECUTE_MS
        The load is RATE requests a second for 20 s, TIMES as much for SECONDS, and RATE again for 15 s. PID is the server's process.
        Prints a line for each second: phase, due, served within 1 s, refused, served later, failed, p50 and p99 in ms, server's MB.
        """);
    return 64;
}

const double WithinMs = 1000;
const int MostOpen = 100_000;
var (pid, rate, times) = (Int(1), Number(2), Number(3));
var (seconds, execute) = (Int(4), TimeSpan.FromMilliseconds(Number(5)));
const int WarmUp = 20, Recovery = 15;
using var server = Process.GetProcessById(pid);
var channels = Enumerable.Range(0, 4).Select(_ => GrpcChannel.ForAddress($"http://{args[0]}")).ToList();
var scalers = channels.ConvertAll(c => new Scaler.ScalerClient(c));
var functions = Enumerable.Range(0, 4).Select(i => new Meta { Key = $"overload-{i}", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 }).ToArray();
var table = Enumerable.Range(0, WarmUp + seconds + Recovery).Select(_ => new Second()).ToArray();
var open = 0;
var number = 0L;
var began = Stopwatch.GetTimestamp();
for (var second = 0; second < table.Length; second++)
{
    var perSecond = second >= WarmUp && second < WarmUp + seconds ? rate * times : rate;
    var sent = 0;
    while (sent < (int)perSecond)
    {
        var now = Stopwatch.GetElapsedTime(began).TotalSeconds;
        for (; sent < (int)perSecond && second + (sent / perSecond) <= now; sent++)
        {
            table[second].Due++;
            if (open >= MostOpen)
            {
                table[second].Failed();
                continue;
            }

            Interlocked.Increment(ref open);
            _ = CallAsync(number++, table[second], TimeSpan.FromSeconds(second + (sent / perSecond)));
        }

        await Task.Delay(1);
    }

    server.Refresh();
    table[second].ServerMb = server.WorkingSet64 >> 20;
}

for (var i = 0; i < 100 && open > 0; i++)
{
    await Task.Delay(100);
}

for (var second = 0; second < table.Length; second++)
{
    Console.WriteLine($"{(second < WarmUp ? "before" : second < WarmUp + seconds ? "during" : "after")}\t{table[second]}");
}

channels.ForEach(c => c.Dispose());
return 0;

async Task CallAsync(long id, Second second, TimeSpan due)
{
    try
    {
        var scaler = scalers[(int)(id % scalers.Count)];
        var function = functions[(int)(id / 7 % functions.Length)];
        var reply = await scaler.AssignAsync(new AssignRequest { RequestId = $"{pid}-{began}-{id}", MetaData = function }, deadline: DateTime.UtcNow.AddSeconds(2));
        second.Served((Stopwatch.GetElapsedTime(began) - due).TotalMilliseconds, WithinMs);
        await Task.Delay(execute);
        await scaler.IdleAsync(new IdleRequest { Assigment = reply.Assigment, Result = new Result { StatusCode = 200, DurationInMs = (ulong)execute.TotalMilliseconds } });
    }
    catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
    {
        second.Refused();
    }
    catch (RpcException)
    {
        second.Failed();
    }
    finally
    {
        Interlocked.Decrement(ref open);
    }
}

double Number(int index) => double.Parse(args[index], CultureInfo.InvariantCulture);

int Int(int index) => int.Parse(args[index], CultureInfo.InvariantCulture);
