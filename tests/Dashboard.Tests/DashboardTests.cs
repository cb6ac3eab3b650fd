using System.Globalization;
using System.Text.RegularExpressions;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FuncScaler.Tests;

/// <summary>The dashboard in a browser, while a contest's requests arrive.</summary>
public sealed class DashboardTests(ContestRunFixture contest) : IClassFixture<ContestRunFixture>
{
    private const int PhoneWidth = 390;

    [BrowserFact]
    public async Task It_shows_the_run_and_its_numbers_move_without_an_error_or_a_request_to_another_machine()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, contest.Address);
        await Expect(tab.Page.Locator("#state")).ToHaveTextAsync("live");
        await Expect(tab.Page.Locator("#about")).ToContainTextAsync("policy adaptive");
        var before = await RequestsAsync(tab.Page);

        await WaitForMoreAsync(tab.Page, before);
        await Expect(tab.Page.Locator("#charts figure path").First).ToBeAttachedAsync();

        Assert.Empty(tab.Complaints);
        Assert.NotEmpty(tab.Requests);
        Assert.All(tab.Requests, uri => Assert.Equal(contest.Address.Authority, uri.Authority));
    }

    [BrowserFact]
    public async Task The_platform_shows_what_it_sees_of_any_scaler_and_its_numbers_move()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, contest.PlatformAddress);
        await Expect(tab.Page.Locator("#state")).ToHaveTextAsync("live");
        await Expect(tab.Page.Locator("#about")).ToContainTextAsync("contest platform, run dense");
        await Expect(tab.Page.Locator("#tiles")).ToContainTextAsync("score so far");
        await Expect(tab.Page.Locator("#lists")).ToContainTextAsync("What the scaler did wrong");
        var before = await RequestsAsync(tab.Page);

        await WaitForMoreAsync(tab.Page, before);
        var function = tab.Page.Locator("#lists .card", new PageLocatorOptions { HasText = "Busiest" }).Locator("a").First;
        await function.ClickAsync();
        await Expect(tab.Page.Locator("#function")).ToContainTextAsync("A platform sees what a scaler does, and not why");

        Assert.Empty(tab.Complaints);
        Assert.All(tab.Requests, uri => Assert.Equal(contest.PlatformAddress.Authority, uri.Authority));
    }

    [BrowserFact]
    public async Task A_search_leads_to_a_functions_page_with_its_gaps_its_candidates_and_its_decisions()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, contest.Address);
        var page = tab.Page;
        var busiest = page.Locator("#lists .card", new PageLocatorOptions { HasText = "Busiest" }).Locator("a").First;
        await Expect(busiest).ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = 20_000 });
        var key = (await busiest.TextContentAsync())!;

        await page.Locator("#search").FillAsync(key.ToUpperInvariant());
        await Expect(page.Locator("#results-count")).ToContainTextAsync("function");
        await page.Locator("#results a", new PageLocatorOptions { HasTextString = key }).First.ClickAsync();

        await Expect(page.Locator("#function h2.title")).ToHaveTextAsync(key);
        await Expect(page.Locator("#function h2.title")).ToBeFocusedAsync();
        await Expect(page.Locator("#function svg[aria-label^='Histogram of']")).ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = 20_000 });

        // One among the candidates, one among the prices.
        await Expect(page.Locator("#function tr.followed")).ToHaveCountAsync(2);
        await Expect(page.Locator("#function ol.decisions li").First).ToContainTextAsync("ago.");
        await page.GoBackAsync();
        await Expect(page.Locator("#overview")).ToBeVisibleAsync();
        Assert.Empty(tab.Complaints);
    }

    [BrowserFact]
    public async Task The_keyboard_reaches_the_charts_and_reads_them_point_by_point()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, contest.Address);
        await Expect(tab.Page.Locator("#state")).ToHaveTextAsync("live");
        var chart = tab.Page.Locator("#charts figure").First;
        await chart.Locator("svg").First.FocusAsync();

        await tab.Page.Keyboard.PressAsync("End");

        await Expect(chart.Locator(".readout")).ToContainTextAsync("warm ");
        await chart.Locator("summary").PressAsync("Enter");
        await Expect(chart.Locator("table")).ToBeVisibleAsync();
    }

    [BrowserFact]
    public async Task The_page_of_a_function_shows_what_it_would_follow_at_each_price()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, contest.Address);
        var link = tab.Page.Locator("#lists a").First;
        await Expect(link).ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = 20_000 });

        await link.ClickAsync();

        var prices = tab.Page.Locator("#function h2:text-is('At other prices') + p + .card tbody tr");
        await Expect(prices).ToHaveCountAsync(10, new LocatorAssertionsToHaveCountOptions { Timeout = 20_000 });
        await Expect(prices.Filter(new LocatorFilterOptions { HasText = "▸" })).ToHaveCountAsync(1);
    }

    [BrowserTheory]
    [InlineData(1280, ColorScheme.Light, false)]
    [InlineData(1280, ColorScheme.Dark, false)]
    [InlineData(PhoneWidth, ColorScheme.Light, false)]
    [InlineData(PhoneWidth, ColorScheme.Dark, false)]
    [InlineData(1280, ColorScheme.Light, true)]
    [InlineData(PhoneWidth, ColorScheme.Dark, true)]
    public async Task Nothing_is_wider_than_the_screen(int width, ColorScheme scheme, bool platform)
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, platform ? contest.PlatformAddress : contest.Address, width, scheme: scheme);
        var page = tab.Page;
        var link = page.Locator("#lists a").First;
        await Expect(link).ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = 20_000 });
        await ShotAsync("overview");
        await FitsAsync();

        await link.ClickAsync();
        await Expect(page.Locator(platform ? "#function .tiles" : "#function ol.decisions li").First)
            .ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = 20_000 });
        await ShotAsync("function");
        await FitsAsync();

        async Task FitsAsync()
        {
            var wide = await page.EvaluateAsync<int>("document.documentElement.scrollWidth");
            Assert.True(wide <= width, $"the page is {wide} px wide on a screen of {width} px");
        }

        // For eyes: DASHBOARD_SHOTS=FOLDER keeps what the test has seen.
        async Task ShotAsync(string name)
        {
            if (Environment.GetEnvironmentVariable("DASHBOARD_SHOTS") is { } folder)
            {
                await page.WaitForTimeoutAsync(float.Parse(Environment.GetEnvironmentVariable("DASHBOARD_SHOTS_AFTER_MS") ?? "0", CultureInfo.InvariantCulture));
                await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{(platform ? "platform-" : "")}{name}-{width}-{scheme}.png"), FullPage = true });
            }
        }
    }

    [BrowserFact]
    public async Task Names_from_callers_and_words_from_backends_are_text_whatever_they_contain()
    {
        const string key = "<img src=x onerror=\"document.title='taken'\">";
        const string words = "</style><script>document.title='taken'</script> & no memory";
        var backend = new FakeBackend(TimeProvider.System) { OnCreate = new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, words) } };
        await using var scaler = new ScalerServer(
            backend,
            new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = 0,
                Policy = PolicyCatalog.Parse("ttl:300"),
                Runtime = new ScalerRuntimeOptions(),
                DrainTimeout = TimeSpan.Zero,
                LogLevel = LogLevel.None,
            },
            TimeProvider.System);
        await scaler.StartAsync(CancellationToken.None);
        var kept = new FunctionMeta(new MetaKey(key), "go", 60, 128);
        backend.NextCreates(FakeAnswer.Success);
        await scaler.Runtime.AssignAsync(kept, new RequestId("r1"), null, CancellationToken.None);

        await using var tab = await Tab.OpenAsync(contest.Browser, new Uri($"http://127.0.0.1:{scaler.HttpPort}/#function={Uri.EscapeDataString(key)}"));

        await Expect(tab.Page.Locator("#function h2.title")).ToHaveTextAsync(key);
        await Expect(tab.Page.Locator("#function")).ToContainTextAsync("does not explain its decisions");
        await tab.Page.Locator("h1 a").ClickAsync();
        await Expect(tab.Page.Locator("#lists a").First).ToHaveTextAsync(key);
        Assert.NotEqual("taken", await tab.Page.TitleAsync());
        Assert.Empty(tab.Complaints);
    }

    [BrowserFact]
    public async Task The_list_of_endpoints_is_a_page_of_its_own()
    {
        await using var tab = await Tab.OpenAsync(contest.Browser, new Uri(contest.Address, "/api"), PhoneWidth);

        await Expect(tab.Page.Locator("td code").First).ToBeVisibleAsync();
        await Expect(tab.Page.Locator("main")).ToContainTextAsync("POST /api/assign");
        Assert.Empty(tab.Complaints);
    }

    private static async Task<long> RequestsAsync(IPage page)
    {
        var words = page.Locator("#tiles dd small").First;
        await Expect(words).ToContainTextAsync(new Regex("since the start|in this run"));
        return long.Parse((await words.TextContentAsync())!.Split(' ')[0], NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }

    private static async Task WaitForMoreAsync(IPage page, long than) =>
        await page.WaitForFunctionAsync(
            "before => Number(document.querySelector('#tiles dd small').textContent.split(' ')[0].replaceAll(',', '')) > before",
            than,
            new PageWaitForFunctionOptions { Timeout = 30_000 });
}
