using System.Text.Json.Nodes;
using FuncScaler.ScalerHost.Commands;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FuncScaler.Tests;

/// <summary>The report of <c>simulate --out</c> in a browser.</summary>
public sealed class ReportTests(BrowserFixture browser, ReportFixture report) : IClassFixture<BrowserFixture>, IClassFixture<ReportFixture>
{
    [BrowserTheory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task Nothing_is_cut_off(int width, ColorScheme scheme)
    {
        await using var tab = await Tab.OpenAsync(browser.Browser, report.Page, width, scheme: scheme);
        await Expect(tab.Page.Locator("#waits")).ToBeVisibleAsync();

        var wide = await tab.Page.EvaluateAsync<int>("document.documentElement.scrollWidth");
        Assert.True(wide <= width, $"the page is {wide} px wide on a screen of {width} px");

        // Of a wide table, what does not fit is scrolled to; on a desktop the figures of the policies fit.
        var cut = await tab.Page.EvaluateAsync<string[]>(
            "[...document.querySelectorAll('.scroll')].filter(s => s.checkVisibility() && s.scrollWidth > s.clientWidth + 1).map(s => s.getAttribute('aria-labelledby') ?? s.getAttribute('aria-label'))");
        if (width == 1280)
        {
            Assert.Empty(cut);
        }

        var outside = await tab.Page.EvaluateAsync<string[]>(
            """
            [...document.querySelectorAll('svg.chart')].filter(s => s.checkVisibility()).flatMap(s => {
              const frame = s.getBoundingClientRect();
              return [...s.querySelectorAll('text')].filter(t => { const r = t.getBoundingClientRect(); return r.left < frame.left - 1 || r.right > frame.right + 1 || r.bottom > frame.bottom + 1; })
                .map(t => t.textContent);
            })
            """);
        Assert.Empty(outside);
        Assert.Empty(tab.Complaints);
        if (Environment.GetEnvironmentVariable("DASHBOARD_SHOTS") is { } folder)
        {
            await tab.Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"report-{width}-{scheme}.png"), FullPage = true });
        }
    }

    [BrowserFact]
    public async Task It_says_what_it_is_of_sorts_and_gives_its_figures_away()
    {
        await using var tab = await Tab.OpenAsync(browser.Browser, report.Page);
        var page = tab.Page;
        foreach (var (name, value) in new[] { ("Seed", "3"), ("Tail", "300 s"), ("Price of waiting", "none"), ("Part", "from 0 s, 60 s long") })
        {
            await Expect(page.Locator($".facts div:has(dt:text-is('{name}')) dd")).ToHaveTextAsync(value);
        }

        await Expect(page.Locator(".facts")).ToContainTextAsync("Version");
        await page.Locator("table[aria-labelledby=figures] th button", new PageLocatorOptions { HasText = "creates" }).ClickAsync();
        await Expect(page.Locator("table[aria-labelledby=figures] th[aria-sort]")).ToHaveTextAsync("creates");

        var saving = page.WaitForDownloadAsync();
        await page.Locator("a[download]").ClickAsync();
        var saved = await File.ReadAllTextAsync((await (await saving).PathAsync())!);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(saved), JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(report.Folder, "result.json")))));
        Assert.Empty(tab.Complaints);
        Assert.All(tab.Requests, uri => Assert.True(uri.IsFile));
    }

    [Fact]
    public async Task The_same_input_gives_the_same_bytes()
    {
        using var again = new ReportFixture();
        await again.InitializeAsync();
        foreach (var file in (string[])["report.html", "result.json"])
        {
            // The folder's name is an option, and stands in the header.
            Assert.Equal(
                (await File.ReadAllTextAsync(Path.Combine(report.Folder, file))).Replace(report.Folder, "", StringComparison.Ordinal),
                (await File.ReadAllTextAsync(Path.Combine(again.Folder, file))).Replace(again.Folder, "", StringComparison.Ordinal));
        }
    }
}

/// <summary>A report that the command has written.</summary>
public sealed class ReportFixture : IAsyncLifetime, IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("report-").FullName;

    public Uri Page => new(Path.Combine(Folder, "report.html"));

    public async Task InitializeAsync()
    {
        var code = await SimulateCommand.Create()
            .Parse(["--preset", Environment.GetEnvironmentVariable("REPORT_PRESET") ?? "faas", "--seed", "3", "--length", "60", "--out", Folder])
            .InvokeAsync();
        Assert.Equal(0, code);
    }

    public Task DisposeAsync()
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }
    }
}
