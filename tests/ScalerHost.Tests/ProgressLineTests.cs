using FuncScaler.ScalerHost.Commands;

namespace FuncScaler.Tests;

public class ProgressLineTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly StringWriter _terminal = new();

    [Fact]
    public void What_is_quick_shows_nothing()
    {
        using (var line = new ProgressLine("reading", _terminal, 80, _time))
        {
            line.Report(0.5);
            Pass(0.9);
            line.Report(1);
        }

        Assert.Empty(_terminal.ToString());
    }

    [Fact]
    public void What_takes_longer_says_how_far_it_is_and_how_long_it_still_takes_and_leaves_an_empty_line()
    {
        using (var line = new ProgressLine("reading x.csv", _terminal, 80, _time))
        {
            Pass(2);
            line.Report(0.25);
            Assert.Equal("\rreading x.csv: 25 %, 6 s left", _terminal.ToString());
            _terminal.GetStringBuilder().Clear();
        }

        Assert.Equal($"\r{new string(' ', "reading x.csv: 25 %, 6 s left".Length)}\r", _terminal.ToString());
    }

    [Fact]
    public void The_estimate_is_of_the_pace_of_the_last_half_minute()
    {
        using var line = new ProgressLine("simulating", _terminal, 80, _time);
        Pass(1);

        // What an earlier run had done is there at once.
        line.Report(0.5);
        for (var i = 1; i <= 60; i++)
        {
            Pass(1);
            line.Report(0.5 + (i * 0.001));
        }

        Assert.EndsWith("simulating: 56 %, 8 min left", _terminal.ToString().TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_pass_begins_anew_and_a_line_is_never_wider_than_the_terminal()
    {
        using var line = new ProgressLine("reading " + new string('x', 100), _terminal, 40, _time);
        foreach (var share in (double[])[0.9, 0.1, 0.2])
        {
            Pass(1);
            line.Report(share);
        }

        Assert.All(_terminal.ToString().Split('\r'), shown => Assert.True(shown.Length < 40));
    }

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
