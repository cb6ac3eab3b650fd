using FuncScaler.Runtime.Security;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

public sealed class ScalerAppOptionsTests
{
    public static TheoryData<ScalerAppOptions, string> Wrong => new()
    {
        { new ScalerAppOptions { Platform = "" }, "Scaler:Platform '' is no address" },
        { new ScalerAppOptions { Platform = "host" }, "write host:port" },
        { new ScalerAppOptions { Platform = "host:99999" }, "write host:port" },
        { new ScalerAppOptions { Platform = "ftp://host:1" }, "write host:port" },
        { new ScalerAppOptions { Backend = "lambda" }, "Scaler:Backend 'lambda' is not known" },
        { new ScalerAppOptions { Backend = "process" }, "Scaler:Backend 'process' serves one scaler alone" },
        { new ScalerAppOptions { Backend = "aci" }, "Scaler:BackendSettings: subscription '' is no subscription id" },
        { new ScalerAppOptions { Backend = "aci", BackendSettings = "{" }, "Scaler:BackendSettings: line 1" },
        { new ScalerAppOptions { Backend = "aci", BackendSettings = """{"subscripton":"x"}""" }, "subscripton" },
        { new ScalerAppOptions { HostUrl = "nowhere" }, "Scaler:HostUrl 'nowhere' is no address" },
        { new ScalerAppOptions { LeaseSeconds = 0 }, "Scaler:LeaseSeconds 0 is out of range" },
        { new ScalerAppOptions { LeaseSeconds = 6 }, "Scaler:LeaseSeconds and Scaler:ReportSeconds do not go together" },
        { new ScalerAppOptions { ReportSeconds = 0 }, "Scaler:ReportSeconds 0 is out of range" },
        { new ScalerAppOptions { HoldAheadSeconds = -1 }, "Scaler:HoldAheadSeconds -1 is out of range" },
        { new ScalerAppOptions { ParkSeconds = -1 }, "Scaler:ParkSeconds -1 is out of range" },
        { new ScalerAppOptions { LatencyPrice = "-1" }, "Scaler:LatencyPrice '-1' is no price: give auto, or 0 to 1000000000" },
        { new ScalerAppOptions { LatencyPrices = "{" }, "Scaler:LatencyPrices '{' is no JSON object of prices" },
        { new ScalerAppOptions { LatencyPrices = """{"f":"dear"}""" }, "is no JSON object of prices: write for example" },
        { new ScalerAppOptions { MaxSlotsPerFunction = -1 }, "or 0, which means no limit" },
        { new ScalerAppOptions { CreateBurst = 0 }, "Scaler:CreateBurst 0 is out of range: give 1 to 1000000" },
        { new ScalerAppOptions { CreatesPerMinute = 0 }, "Scaler:CreatesPerMinute 0 is out of range" },
        { new ScalerAppOptions { DrainTimeout = TimeSpan.FromSeconds(-1) }, "Scaler:DrainTimeout" },
        { new ScalerAppOptions { HistoryKept = TimeSpan.FromMinutes(29) }, "Scaler:HistoryKept 00:29:00 is out of range" },
        { new ScalerAppOptions { HistoryKept = TimeSpan.FromDays(91) }, "Scaler:HistoryKept 91.00:00:00 is out of range" },
        { new ScalerAppOptions { MaxPurgesPerRun = 0 }, "Scaler:MaxPurgesPerRun 0 is out of range" },
        { new ScalerAppOptions { MaxPurgesPerRun = 100_001 }, "Scaler:MaxPurgesPerRun 100001 is out of range" },
        { new ScalerAppOptions { Policy = "no-such" }, "Scaler:Policy" },
        { new ScalerAppOptions { Policy = "adaptive:p95=100" }, "Scaler:Policy: 'adaptive:p95=100' has an objective over all functions" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 70_000 } }, "Scaler:Grpc:Port 70000 is no port" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = -1 } }, "Scaler:Grpc:Port -1 is no port" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "everywhere" } }, "'everywhere' is no IP address" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "0.0.0.0" } }, "set Scaler:Grpc:Key" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Key = "guess-me" } }, "Scaler:Grpc:Key has 8 characters and could be guessed: give at least 32" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "0.0.0.0", Key = new string('k', 32) } }, "keys would cross the network in clear: set Scaler:Grpc:Tls:Certificate" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Address = "0.0.0.0", TlsInFront = true } }, "anybody could take instances: set Scaler:Grpc:Key" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Tls = new TlsFiles { Certificate = "server.pem" } } }, "Scaler:Grpc:Tls:Key is missing: give the path" },
        { new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 1, Tls = new TlsFiles { Certificate = "no-such.pem", Key = "no-such.key" } } }, "Scaler:Grpc:Tls:Certificate 'no-such.pem' cannot be read" },
        { new ScalerAppOptions { OperatorKeySha256 = "guess-me" }, "Scaler:OperatorKeySha256 is no SHA-256" },
        { new ScalerAppOptions { Limits = "{" }, "Scaler:Limits: line 1" },
        { new ScalerAppOptions { Limits = """{"functions": {"f": {"min": 5, "max": 2}}}""" }, "Scaler:Limits: functions.f.max 2 is less than min" },
        { new ScalerAppOptions { LimitsFile = "no-such-file.json" }, "Scaler:LimitsFile no-such-file.json: the file cannot be read" },
        { new ScalerAppOptions { Limits = "{}", LimitsFile = "limits.json" }, "Scaler:Limits and Scaler:LimitsFile are both set" },
        { new ScalerAppOptions { MaxProvisioned = -1 }, "Scaler:MaxProvisioned -1 is out of range: give 0 to 1000" },
        { new ScalerAppOptions { MaxProvisioned = 1001 }, "Scaler:MaxProvisioned 1001 is out of range" },
    };

    public static TheoryData<ScalerAppOptions> Right => new()
    {
        new ScalerAppOptions(),
        new ScalerAppOptions { Platform = "platform.internal:50051", Policy = "ttl:9" },
        new ScalerAppOptions { Platform = "[::1]:50051" },
        new ScalerAppOptions
        {
            Backend = "aci",
            BackendSettings = """
                {"subscription":"00000000-0000-0000-0000-000000000001","images":{"*":"example/runtime:1"},
                 "places":[{"resourceGroup":"slots","region":"westeurope"}]}
                """,
        },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001 } },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001, Address = "0.0.0.0", Key = new string('k', 32), TlsInFront = true } },
        new ScalerAppOptions { Grpc = new GrpcPortOptions { Port = 9001, Address = "::", AllowAnonymous = true, TlsInFront = true } },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void A_wrong_setting_is_named_with_how_to_mend_it(ScalerAppOptions options, string message)
    {
        var result = new ScalerAppOptionsValidator().Validate(null, options);

        Assert.True(result.Failed);
        Assert.Contains(message, result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("guess-me", result.FailureMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Scaler:DrainTimeout", "3", 3)]
    [InlineData("Scaler:DrainTimeout", "3s", 3)]
    [InlineData("scaler:drainTimeout", "500ms", 0.5)]
    [InlineData("Scaler:DrainTimeout", "00:00:03", 3)]
    public void A_time_is_in_seconds_unless_it_says_otherwise(string setting, string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read((setting, text)).DrainTimeout);

    [Theory]
    [InlineData("Scaler:DrainTimeout", "3:00", "Scaler:DrainTimeout \"3:00\" cannot be read: give a time, as \"3s\", \"500ms\", \"00:00:03\"")]
    [InlineData("Scaler:DrainTimeout", "24:00:00", "Scaler:DrainTimeout \"24:00:00\" cannot be read")]
    [InlineData("Scaler:DrainTimeout", "soon", "Scaler:DrainTimeout \"soon\" cannot be read")]
    [InlineData("Scaler:HistoryKept", "2", "Scaler:HistoryKept 00:00:02 is out of range: give 00:30:00 to 90.00:00:00")]
    [InlineData("Scaler:CreateBurst", "many", "Scaler:CreateBurst \"many\" cannot be read: give a whole number")]
    [InlineData("Scaler:CreateBurst", "1.5", "Scaler:CreateBurst \"1.5\" cannot be read")]
    [InlineData("Scaler:Grpc:AllowAnonymous", "yes", "Scaler:Grpc:AllowAnonymous \"yes\" cannot be read: give true or false")]
    [InlineData("Scaler:Grpc", "9001", "Scaler:Grpc \"9001\" cannot be read: give an object, with the names Port, Address, Key, AllowAnonymous, Tls, TlsInFront")]
    [InlineData("Scaler:Policy:0", "ttl:9", "Scaler:Policy {\"0\":\"ttl:9\"} cannot be read: give text")]
    [InlineData("Scaler:Aci", "{}", "Scaler:Aci is no setting: there are Backend, BackendSettings,")]
    [InlineData("Scaler:Grpc:Prot", "1", "Scaler:Grpc:Prot is no setting: there are Port, Address, Key, AllowAnonymous, Tls, TlsInFront.")]
    public void A_setting_that_cannot_be_read_stops_the_app_in_words(string setting, string text, string message)
    {
        var e = Assert.Throws<OptionsValidationException>(() => Read((setting, text), ("Scaler:Policy", "ttl:9")));

        Assert.Contains(message, Assert.Single(e.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void The_price_of_waiting_is_stated_or_the_contests_and_may_be_a_functions_own()
    {
        Assert.Equal(100, new ScalerAppOptions().ToLeasing(new BackendLimits()).Pool.LatencyPriceGbs);
        Assert.Null(new ScalerAppOptions { LatencyPrice = "auto" }.ToLeasing(new BackendLimits()).Pool.LatencyPriceGbs);
        var own = new ScalerAppOptions { LatencyPrice = "2.5", LatencyPrices = """{"a=b": 500, "c": "auto"}""" }.ToLeasing(new BackendLimits()).Pool;
        Assert.Equal((2.5, 500, null), (own.LatencyPriceGbs, own.LatencyPricesGbs["a=b"], own.LatencyPricesGbs["c"]));
    }

    [Fact]
    public void Settings_are_numbers_and_switches_in_text_and_an_empty_one_is_not_set()
    {
        var options = Read(
            ("Scaler:Grpc:Port", "9001"), ("Scaler:Grpc:AllowAnonymous", "True"), ("Scaler:LatencyPrice", ""), ("Scaler:MaxSlotsPerFunction", "7"), ("Scaler:LeaseSeconds", "12.5"));

        Assert.Equal("a.pem", Read(("Scaler:Grpc:Tls:Certificate", "a.pem")).Grpc.Tls!.Certificate);
        Assert.Equal((9001, true, WaitingPrice.Published, 7, 12.5), (options.Grpc.Port, options.Grpc.AllowAnonymous, options.PriceGbs, options.MaxSlotsPerFunction, options.LeaseSeconds));
        Assert.Equal(new ScalerAppOptions().CreateBurst, options.CreateBurst);
    }

    [Theory]
    [MemberData(nameof(Right), DisableDiscoveryEnumeration = true)]
    public void Right_settings_pass(ScalerAppOptions options) =>
        Assert.True(new ScalerAppOptionsValidator().Validate(null, options).Succeeded);

    /// <summary>The options as the app has them.</summary>
    private static ScalerAppOptions Read(params (string Name, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.DistinctBy(s => s.Name).ToDictionary(s => s.Name, s => (string?)s.Value)).Build();
        using var services = new ServiceCollection().AddSingleton<IConfiguration>(configuration).AddLogging().AddScalerApp().BuildServiceProvider();
        return services.GetRequiredService<IOptions<ScalerAppOptions>>().Value;
    }
}
