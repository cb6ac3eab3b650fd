using FuncScaler.SlotBackends.Process;

namespace FuncScaler.Tests.Processes;

public class OutputLogTests
{
    private static readonly MetaKey F = new("f");
    private readonly OutputLog _log = new(new ManualTimeProvider());

    [Fact]
    public void The_last_lines_of_a_function_are_kept_without_control_characters()
    {
        for (var i = 0; i < OutputLog.MostOfFunction + 10; i++)
        {
            _log.Add(F, new InstanceId("i-1"), "stdout", $"line\u001b {i}");
        }

        Assert.Equal(OutputLog.MostOfFunction, _log.Of(F, int.MaxValue).Count);
        Assert.Equal($"line {OutputLog.MostOfFunction + 9}", Assert.Single(_log.Of(F, 1)).Text.Replace("  ", " ", StringComparison.Ordinal));
        Assert.Empty(_log.Of(new MetaKey("g"), 10));
    }

    [Fact]
    public void Memory_is_bounded_whatever_is_printed_and_the_function_that_is_silent_for_longest_goes_first()
    {
        for (var i = 0; i <= OutputLog.Most / OutputLog.MostOfFunction; i++)
        {
            for (var line = 0; line < OutputLog.MostOfFunction; line++)
            {
                _log.Add(new MetaKey($"f{i}"), new InstanceId("i"), "stderr", new string('x', 5_000));
            }
        }

        Assert.Empty(_log.Of(new MetaKey("f0"), 10));
        Assert.Equal(2, _log.Of(new MetaKey("f1"), 2).Count);
        Assert.All(_log.Of(new MetaKey("f1"), 2), line => Assert.InRange(line.Text.Length, 400, OutputLog.Longest + 1));
    }

    [Fact]
    public async Task Lines_are_told_as_they_end_and_the_last_one_at_the_end()
    {
        var lines = new List<string>();
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes("one\n\ntwo\nthr" + new string('x', 5000) + "\nend"));

        await new OutputTail(lines.Add).ReadAsync(stream, TimeProvider.System, CancellationToken.None);

        Assert.Equal(["one", "two", "thr" + new string('x', 2045), "end"], lines);
    }
}
