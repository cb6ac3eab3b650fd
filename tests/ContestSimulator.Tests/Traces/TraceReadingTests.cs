using System.Text;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Traces.Tables;

namespace FuncScaler.Tests.Traces;

public sealed class TraceReadingTests
{
    [Fact]
    public void Of_a_file_the_bytes_are_told_and_of_a_generated_trace_the_time()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "f,t,d\n" + string.Concat(Enumerable.Range(0, 100_000).Select(i => $"f{i % 7},{i},1\n")), Encoding.UTF8);
            var read = Shares(() => CsvTrace.Open(path, ColumnMap.Parse("key=f,start=t,duration=d", "s", hasDefaultDuration: false)));
            Assert.True(read.Count > 3);
            Assert.Equal(read.Order(), read);
            Assert.Equal(1, read[^1]);
        }
        finally
        {
            File.Delete(path);
        }

        var made = Shares(() => PresetCatalog.Create("faas", 1, 600).ReadRequests().Count());
        Assert.True(made.Count > 3);
        Assert.Equal(made.Order(), made);
        Assert.InRange(made[^1], 0.7, 1);
    }

    [Fact]
    public void What_the_watcher_throws_ends_the_reading_and_nobody_is_told_afterwards()
    {
        var trace = PresetCatalog.Create("smoke", 1, 60);

        Assert.Throws<OperationCanceledException>(() => TraceReading.Watch(_ => throw new OperationCanceledException(), () => trace.ReadRequests().Count()));
        Assert.NotEmpty(trace.ReadRequests());
    }

    private static List<double> Shares<T>(Func<T> read)
    {
        var shares = new List<double>();
        TraceReading.Watch(shares.Add, read);
        return shares;
    }
}
