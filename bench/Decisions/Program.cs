using FuncScaler.Benchmarks;

// decisions cost [POLICY...]: what Assign and Release cost in the core, the first policy against the others.
// decisions state [POLICY...]: what is kept of each function after hours of the preset faas.
// decisions queue [POLICY...]: the longest event while 1 to 100,000 requests of one function wait.
switch (args)
{
    case ["cost", ..]:
        DecisionCost.Print(args.Length > 1 ? args[1..] : ["adaptive", "ttl:20"]);
        return 0;
    case ["state", ..]:
        FunctionState.Print(args.Length > 1 ? args[1..] : ["adaptive", "ttl:20"]);
        return 0;
    case ["queue", ..]:
        LongQueue.Print(args.Length > 1 ? args[1..] : ["adaptive", "ttl:20"]);
        return 0;
    default:
        Console.Error.WriteLine("usage: decisions cost|state|queue [POLICY...]");
        return 64;
}
