using FuncScaler.Policies.Adaptive;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Basic;
using FuncScaler.Policies.Published;

namespace FuncScaler.Policies;

/// <summary>The policies by name.</summary>
public static class PolicyCatalog
{
    /// <summary>The policy used where none is named.</summary>
    public const string Default = "adaptive";

    private static readonly PolicyEntry[] Entries =
    [
        new("direct", "", "an instance for every request, destroyed on release", _ => Each(_ => new DirectPolicy())),
        new("ttl", "S", "keeps idle instances S seconds (300 if not given)",
            With(new TtlPolicyOptions().Read, o => new TtlPolicy(o))),
        new("capped", "S", "ttl (60 s) with at most 10 idle instances, 1 from 2 GB on",
            With(new CappedPolicyOptions().Read, o => new CappedPolicy(o))),
        new("memory-ttl", "gc=S,tick=S", "keeps while idle seconds x MB stay under a limit that follows demand",
            With(new MemoryTtlPolicyOptions().Read, o => new MemoryTtlPolicy(o))),
        new("burst", "extra=N,reserve=N,trim=S,release=S,hot=N,within=S", "a miss creates two more; later two stay in reserve, then none",
            With(new BurstPolicyOptions().Read, o => new BurstPolicy(o))),
        new("prealloc", "N,keep=S,silence=S", "creates the peak ahead, keeps it long, releases all after silence",
            With(new PreallocPolicyOptions().Read, o => new PreallocPolicy(o))),
        new("provisioned", "N,keep=S", "N instances always ready (1 if not given), further ones as ttl",
            With(new ProvisionedPolicyOptions().Read, o => new ProvisionedPolicy(o))),
        new("hybrid-histogram", "hours=H,arima=on|off,cv=X,oob=X", "loads before the head and keeps past the tail of the idle times' histogram",
            With(new HybridHistogramPolicyOptions().Read, o => new HybridHistogramPolicy(o))),
        new("lsth", "short=H,long=H,weight=W,hours=H", "the same of a short and a long window's histograms, blended",
            With(new LsthPolicyOptions().Read, o => new LsthPolicy(o))),
        new("greedy-dual", "GB", "keeps all until memory is short (31.25 GB), then evicts the lowest clock + uses x cost / size",
            r => GreedyDualPolicy.Choose(new GreedyDualPolicyOptions().Read(r))),
        new("fft", "interval=S,window=N,harmonics=N,trend=0|1|2", "as many instances as trend and harmonics of past concurrency forecast",
            With(new FftPolicyOptions().Read, o => new FftPolicy(o))),
        new("huawei", "S", "keeps idle instances a minute",
            With(HuaweiPolicy.Read, o => new TtlPolicy(o))),
        new("kpa", "window=S,tick=S,panic=X,threshold=X,target=X,up=X,down=X,grace=S", "Knative's autoscaler: as many instances as concurrency asks for, every 2 s; requests queue",
            With(new KpaPolicyOptions().Read, o => new KpaPolicy(o))),
        new("slo", "MS,keep=S", "creates only where a request would be answered later than MS ms (1000)",
            With(new SloPolicyOptions().Read, o => new SloPolicy(o))),
        new("cidre", "GB", "greedy-dual that shares a function's worth among its instances, and creates beside busy ones only while that pays",
            r => CidrePolicy.Choose(new CidrePolicyOptions().Read(r))),
        new("rainbowcake", "init=X,language=X,bare=X", "keeps an instance, then its language's layer, then a bare one, each by its own rate",
            r => RainbowCakePolicy.Choose(new RainbowCakePolicyOptions().Read(r))),
        new("pagurus", "S,wait=S,aim=X,unused=S", "lends instances that an M/M/n queue can spare to other functions of the same runtime and memory",
            r => PagurusPolicy.Choose(new PagurusPolicyOptions().Read(r))),
        new("femux", "block=N,cold=S", "as many instances as the forecaster says that cost least over the function's last block of minutes, by RUM",
            With(new FemuxPolicyOptions().Read, o => new FemuxPolicy(o))),
        new("spes", "ahead=S,keep=S,long=S,always=N", "sorts functions by their idle minutes, and loads each kind before the minutes it predicts",
            With(new SpesPolicyOptions().Read, o => new SpesPolicy(o))),
        new("adaptive", "price=X|p95=MS|within=GB,create=GBS,prior=N,tail=X,pile=F,expect=F,wait=F,evidence=F,share=F,memory=S,warmup=F,reluctance=F", "learns per function what holding and waiting cost, and knows nothing in advance", r => Adaptive(new AdaptivePolicyOptions().Read(r))),
    ];

    /// <summary>Every policy: name, option, and what it does.</summary>
    public static IReadOnlyList<PolicyEntry> All => Entries;

    /// <summary>Says of a policy that it does not explain its decisions, and which do.</summary>
    public static string NotExplained(PolicyChoice choice) =>
        $"The policy '{choice.Name}' does not explain its decisions. These do: {string.Join(", ", Entries.Where(e => Parse(e.Name).Explains).Select(e => e.Name))}.";

    private static PolicyChoice Adaptive(AdaptivePolicyOptions options) => new(
        "",
        _ =>
        {
            var shared = new AdaptiveShared(options);
            return function => new AdaptivePolicy(options, shared, function);
        })
    {
        SharesState = true,
        Explains = true,
        Objective = Objective.Describe(options),
    };

    /// <summary>Reads a choice such as <c>capped</c> or <c>ttl:9</c>.</summary>
    /// <exception cref="FormatException">No such policy, or an option it does not take; the message says what there is.</exception>
    public static PolicyChoice Parse(string text) => Parse(text, Entries);

    /// <summary>Reads a choice of the policies given.</summary>
    /// <inheritdoc cref="Parse(string)" path="/exception"/>
    public static PolicyChoice Parse(string text, IReadOnlyList<PolicyEntry> among)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(among);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = (colon < 0 ? text : text[..colon]).Trim();
        var option = colon < 0 ? null : text[(colon + 1)..].Trim();
        var entry = among.FirstOrDefault(e => e.Name == name)
            ?? throw new FormatException($"There is no policy '{name}'. Choose one of: {string.Join(", ", among.Select(e => e.Usage))}.");
        var reader = new PolicyOptionReader(entry, option);
        var choice = entry.Make(reader);
        reader.Finish();
        return choice with { Name = text };
    }

    /// <summary>
    /// Takes a list of choices apart, such as <c>direct,burst:extra=1,trim=5,ttl:9</c>: a <c>key=value</c> belongs to the choice before it.
    /// </summary>
    public static IReadOnlyList<string> SplitList(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var choices = new List<string>();
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (choices.Count > 0 && part.Contains('=', StringComparison.Ordinal) && !part.Contains(':', StringComparison.Ordinal))
            {
                choices[^1] += "," + part;
            }
            else
            {
                choices.Add(part);
            }
        }

        return choices;
    }

    private static PolicyChoice Each(Func<FunctionMeta, IKeepAlivePolicy> create) => new("", create);

    private static Func<PolicyOptionReader, PolicyChoice> With<TOptions>(
        Func<PolicyOptionReader, TOptions> read, Func<TOptions, IKeepAlivePolicy> create) => reader =>
    {
        var options = read(reader);
        return Each(_ => create(options));
    };
}
