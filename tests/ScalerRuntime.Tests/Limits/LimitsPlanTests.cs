using System.Globalization;
using FuncScaler.Runtime.Limits;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Tests.Limits;

public class LimitsPlanTests
{
    private const string Office = """
        {
          "functions": {
            "f": {
              "min": 1, "max": 20, "maxWaiting": 50, "concurrency": 4, "latencyPrice": 7, "memoryMb": 256, "runtime": "node", "timeoutSeconds": 10,
              "schedules": [
                { "cron": "0 8 * * 1-5", "timeZone": "Europe/Berlin", "min": 5, "until": "0 18 * * *" },
                { "cron": "0 12 * * *", "timeZone": "Europe/Berlin", "min": 8, "max": 30, "duration": "01:00:00" },
              ],
            },
          },
        }
        """;

    private static readonly MetaKey F = new("f");

    [Theory]
    [InlineData("2026-01-12T07:59:59+01:00", 1, 20)]
    [InlineData("2026-01-12T08:00:00+01:00", 5, 20)]
    [InlineData("2026-01-12T12:30:00+01:00", 8, 30)]
    [InlineData("2026-01-12T13:00:00+01:00", 5, 20)]
    [InlineData("2026-01-12T18:00:00+01:00", 1, 20)]
    [InlineData("2026-01-11T09:00:00+01:00", 1, 20)]
    [InlineData("2026-07-13T08:00:00+02:00", 5, 20)]
    public void Floor_and_ceiling_follow_the_schedules_in_their_time_zone(string at, int min, int max)
    {
        var limits = LimitsPlan.Read(Office).At(F, At(at));
        Assert.Equal((min, max), (limits.MinInstances, limits.MaxInstances));
        Assert.Equal((50, 4, 7), (limits.MaxWaiting, limits.Concurrency, limits.LatencyPriceGbs));
    }

    [Theory]
    [InlineData("2026-01-12T07:00:00+01:00", "2026-01-12T08:00:00+01:00")]
    [InlineData("2026-01-12T08:00:00+01:00", "2026-01-12T12:00:00+01:00")]
    [InlineData("2026-01-12T12:00:00+01:00", "2026-01-12T13:00:00+01:00")]
    [InlineData("2026-01-12T13:00:00+01:00", "2026-01-12T18:00:00+01:00")]
    public void The_next_change_is_the_next_beginning_or_end(string after, string next) =>
        Assert.Equal(At(next), LimitsPlan.Read(Office).NextChange(At(after)));

    [Fact]
    public void The_settings_of_instances_are_known_where_the_file_has_them()
    {
        var plan = LimitsPlan.Read(Office);
        Assert.Equal(new FunctionMeta(F, "node", 10, 256), plan.SettingsOf(F));
        Assert.Equal(FunctionLimits.None, plan.At(new MetaKey("g"), At("2026-01-12T12:00:00Z")));
        Assert.Null(LimitsPlan.Read("""{"functions": {"f": {"min": 1}}}""").NextChange(At("2026-01-12T12:00:00Z")));
    }

    [Theory]
    [InlineData("""{"functions": {"f": {"min": 3, "max": 2}}}""", "functions.f.max 2 is less than min: give at least as many, or 0 for no limit.")]
    [InlineData("""{"functions": {"f": {"concurrency": 0}}}""", "functions.f.concurrency 0 is out of range: give 1 to 1000.")]
    [InlineData("""{"functions": {"f": {"minimum": 1}}}""", "functions.f.minimum is no setting: there are min, max, maxWaiting, concurrency, latencyPrice, slo, memoryMb, runtime, timeoutSeconds, schedules.")]
    [InlineData("""{"functions": {"f": {"slo": "200ms", "latencyPrice": 4}}}""", "functions.f.slo 00:00:00.2000000 stands beside latencyPrice, which is found from it: leave one of them out.")]
    [InlineData("""{"functions": {"f": {"slo": "2h"}}}""", "functions.f.slo 02:00:00 is out of range: give 00:00:00.0010000 to 01:00:00, as \"3s\", \"500ms\", \"00:00:03\" or 3, which is in seconds.")]
    [InlineData(
        """{"functions": {"f": {"schedules": [{"cron": "0 8 * * *"}]}}}""", "functions.f.schedules[0] has neither until nor duration: say by one of them when it ends.")]
    [InlineData(
        """{"functions": {"f": {"schedules": [{"cron": "0 8 * * *", "timeZone": "Mars/Olympus", "duration": "01:00:00"}]}}}""",
        "functions.f.schedules[0].timeZone 'Mars/Olympus' is no time zone of this machine: write one as Europe/Berlin, or UTC.")]
    public void What_is_wrong_is_told_in_a_sentence(string json, string sentence) =>
        Assert.Equal([sentence], Assert.Throws<BackendSettingsException>(() => LimitsPlan.Read(json)).Errors);

    [Fact]
    public void Groups_say_which_function_follows_which()
    {
        var plan = LimitsPlan.Read("""
            {
              "functions": {"each": {"memoryMb": 256, "runtime": "node", "timeoutSeconds": 10}},
              "groups": [{"parent": "first", "child": "each", "fanOut": 3, "delay": "2s"}, {"parent": "each", "child": "first"}],
            }
            """);
        Assert.Equal(
            [
                new FunctionGroup(new MetaKey("first"), new MetaKey("each"), 3)
                {
                    Delay = TimeSpan.FromSeconds(2), ChildSettings = new FunctionMeta(new MetaKey("each"), "node", 10, 256),
                },
                new FunctionGroup(new MetaKey("each"), new MetaKey("first"), 1),
            ],
            plan.Groups);
    }

    [Theory]
    [InlineData("""{"parent": "a"}""", "groups[0].child '' is no function's key: give 1 to 512 characters.")]
    [InlineData("""{"parent": "a", "child": "b", "fanOut": 0}""", "groups[0].fanOut 0 is out of range: give 1 to 1000.")]
    [InlineData("""{"parent": "a", "child": "b", "delay": "2h"}""", "groups[0].delay 02:00:00 is out of range: give 00:00:00 to 01:00:00, as \"3s\", \"500ms\", \"00:00:03\" or 3, which is in seconds.")]
    [InlineData("""{"parent": "a", "child": "b", "times": 2}""", "groups[0].times is no setting: there are parent, child, fanOut, delay.")]
    [InlineData("""{"parent": "a", "child": "b"}, {"parent": "a", "child": "b"}""", "groups[1].child 'b' follows 'a' in an earlier group too: give one group with the fan-out of both.")]
    public void What_is_wrong_with_a_group_is_told_in_a_sentence(string groups, string sentence) =>
        Assert.Equal([sentence], Assert.Throws<BackendSettingsException>(() => LimitsPlan.Read($$"""{"groups": [{{groups}}]}""")).Errors);

    [Fact]
    public void The_scaler_is_told_of_groups_when_they_change()
    {
        var told = new List<int>();
        using var clock = new LimitsClock((_, _, _) => { }, _ => { }, new ManualTimeProvider(), groups => told.Add(groups.Count));
        clock.Follow(LimitsPlan.Read("""{"groups": [{"parent": "a", "child": "b"}]}"""));
        clock.Follow(LimitsPlan.Read("""{"groups": [{"parent": "a", "child": "b"}], "others": {"min": 1}}"""));
        clock.Follow(LimitsPlan.None);
        Assert.Equal([1, 0], told);
    }

    [Fact]
    public void A_cron_expression_that_is_none_is_told()
    {
        var errors = Assert.Throws<BackendSettingsException>(
            () => LimitsPlan.Read("""{"functions": {"f": {"schedules": [{"cron": "at noon", "duration": "01:00:00"}]}}}""")).Errors;
        Assert.StartsWith("functions.f.schedules[0].cron or until is no cron expression (", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void The_scaler_is_told_when_a_schedule_begins_and_ends_and_when_another_plan_comes()
    {
        var time = new ManualTimeProvider();
        var told = new List<string>();
        using var clock = new LimitsClock((function, limits, _) => told.Add($"{function} {limits?.MinInstances.ToString(CultureInfo.InvariantCulture) ?? "as others"}"), limits => told.Add($"others {limits.MinInstances}"), time);
        var begin = time.GetUtcNow() + TimeSpan.FromHours(2);
        var cron = string.Create(CultureInfo.InvariantCulture, $"{begin.Minute} {begin.Hour} {begin.Day} {begin.Month} *");
        clock.Follow(LimitsPlan.Read("""{"functions": {"f": {"min": 1, "schedules": [{"cron": "CRON", "min": 4, "duration": "00:30:00"}]}}}""".Replace("CRON", cron, StringComparison.Ordinal)));
        Assert.Equal(["f 1"], told);

        for (var minute = 0; minute < 160; minute++)
        {
            time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(["f 1", "f 4", "f 1"], told);
        clock.Follow(LimitsPlan.Read("""{"functions": {"g": {"min": 2}}}"""));
        Assert.Equal(["f 1", "f 4", "f 1", "g 2", "f as others"], told);
        told.Clear();
        clock.Follow(LimitsPlan.Read("""{"others": {"min": 3}}"""));
        Assert.Equal(["others 3", "g as others"], told);
        told.Clear();
        clock.Follow(LimitsPlan.Read("""{"others": {"min": 3}, "functions": {"g": {}}}"""));
        Assert.Equal(["g 0"], told);
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
