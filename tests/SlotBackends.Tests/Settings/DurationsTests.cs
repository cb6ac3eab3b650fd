using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Tests.Settings;

/// <summary>Times are read as people mean them, or not at all.</summary>
public class DurationsTests
{
    private sealed record Settings
    {
        public TimeSpan Wait { get; init; }
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData("\"3\"", 3)]
    [InlineData("0.5", 0.5)]
    [InlineData("\"3s\"", 3)]
    [InlineData("\"500ms\"", 0.5)]
    [InlineData("\"2m\"", 120)]
    [InlineData("\"1h\"", 3600)]
    [InlineData("\"1d\"", 86_400)]
    [InlineData("\"00:00:03\"", 3)]
    [InlineData("\"00:00:00.010\"", 0.01)]
    [InlineData("\"1.00:00:00\"", 86_400)]
    public void A_time_is_in_seconds_unless_it_says_otherwise(string json, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), SettingsJson.Read<Settings>($"{{\"wait\": {json}}}").Wait);

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"soon\"")]
    [InlineData("\"3 s\"")]
    [InlineData("\"3:00\"")]
    [InlineData("\"24:00:00\"")]
    [InlineData("\"00:60:00\"")]
    [InlineData("\"3sec\"")]
    [InlineData("\"1e3s\"")]
    [InlineData("\"NaN\"")]
    [InlineData("\"3d 2h\"")]
    [InlineData("1e12")]
    [InlineData("null")]
    [InlineData("true")]
    public void Whatever_could_be_meant_otherwise_is_refused_with_its_path_and_the_forms(string json)
    {
        var e = Assert.Throws<BackendSettingsException>(() => SettingsJson.Read<Settings>($"{{\"wait\": {json}}}"));

        Assert.Equal($"wait {json} cannot be read: give a time, as \"3s\", \"500ms\", \"00:00:03\" or 3, which is in seconds.", Assert.Single(e.Errors));
    }
}
